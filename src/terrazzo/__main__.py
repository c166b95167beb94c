"""`python -m terrazzo` is the command `terrazzo`."""

import sys

from terrazzo.app.cli import main

sys.exit(main())
