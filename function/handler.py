"""The entry that Lambda calls: `function.handler.handle(event, context)`.

The only module that acts at import: it builds the handler, and gives Lambda's runtime client our
marshaller. The garbage collector rests meanwhile: it would look for garbage again and again among
what is loaded, and find none.
"""

import gc
import os
import sys

gc.disable()
# OpenBLAS comes with numpy. It starts a thread for each processor, which waits busily for work and
# so takes processor time from the start. Nothing here gives it work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from function.bootstrap import build_handler
from function.hosts import decode_event
from function.marshaller import use_marshaller

handle = build_handler(os.environ)
use_marshaller(sys.modules, decode_event)
gc.freeze()  # no later collection looks through what was loaded
gc.enable()
