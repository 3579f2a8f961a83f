"""The entry that Lambda calls: `function.handler.handle(event, context)`.

The only module that acts at import: it builds the handler.
"""

import os

from function.bootstrap import build_handler

handle = build_handler(os.environ)
