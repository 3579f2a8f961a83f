"""The colours of the report's charts, which the page defines."""

from __future__ import annotations

# The page's own colours, so that charts follow it into the dark and onto paper. `kept` and `out`
# have a contrast of 3:1 (WCAG 2.2, 1.4.11), so they tell apart in grey and without colour vision.
BASE, KEPT, OUT, INK = "var(--base)", "var(--kept)", "var(--out)", "var(--ink)"
