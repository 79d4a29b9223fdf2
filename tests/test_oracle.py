#!/usr/bin/env python3
"""test_oracle.py: 20,000 random translations made by QEMU and by memwalk: no difference.

'make oracle N=1000000' runs more of them, with any SEED."""
import os
import shutil
import subprocess
import sys

CASES = 20000
NEEDED = ("qemu-system-x86_64", "as", "ld")
ORACLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "oracle", "oracle.py")


def main():
    missing = [tool for tool in NEEDED if not shutil.which(tool)]
    if missing:
        print(f"skip memwalk_agrees_with_qemu {', '.join(missing)}: not installed")
        return
    done = subprocess.run([sys.executable, ORACLE, "--cases", str(CASES)], capture_output=True,
                          text=True, check=False)
    good = done.returncode == 0 and f"{CASES} cases, 0 differences" in done.stdout
    print("ok" if good else "not ok", "memwalk_agrees_with_qemu")
    print(done.stdout + done.stderr[-8000:])


main()
