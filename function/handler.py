"""The entrance that Lambda calls: `function.handler.handle(event, context)`. The only line that acts at import is the last."""

import os

from function.bootstrap import build_handler

handle = build_handler(os.environ)
