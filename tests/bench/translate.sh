#!/bin/bash
# translate.sh: cases a second of 'memwalk translate'; see translate.py.
exec python3 "$(dirname "$0")/translate.py"
