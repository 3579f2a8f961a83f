"""The entry that Lambda calls: `function.handler.handle(event, context)`.

The only module that acts at import: it builds the handler, and gives Lambda's runtime client our
marshaller.
"""

import os
import sys

from function.bootstrap import build_handler
from function.hosts import decode_event
from function.marshaller import use_marshaller

handle = build_handler(os.environ)
use_marshaller(sys.modules, decode_event)
