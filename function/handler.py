"""The entry that Lambda calls: `function.handler.handle(event, context)`.

The only module that acts at import: it builds the handler, and gives Lambda's runtime client our
marshaller. The garbage collector rests meanwhile: it would look for garbage again and again among
what is loaded, and find none.
"""

import gc
import os
import sys

gc.disable()

from function.bootstrap import build_handler
from function.hosts import decode_event
from function.marshaller import use_marshaller

handle = build_handler(os.environ)
use_marshaller(sys.modules, decode_event)
gc.freeze()  # no later collection looks through what was loaded
gc.enable()
