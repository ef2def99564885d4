"""
Finds or makes a Python with the training packages, so that `python3 training/train.py` works on a fresh
clone.
"""

import os
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
OWN = HERE / ".venv"
NEEDED = ["torch", "tokenizers", "safetensors", "numpy", "matplotlib"]


def ensure() -> None:
    """
    Returns if this Python has the packages of requirements.txt. Otherwise runs the same command in an own
    environment, `training/.venv`, which it makes and fills if necessary. Ends the program with the reason on
    failure.
    """
    if sys.version_info < (3, 11):
        raise SystemExit(f"training needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    if is_complete():
        return
    python = OWN / ("Scripts" if os.name == "nt" else "bin") / "python"
    if Path(sys.prefix) == OWN.resolve():
        raise SystemExit(f"{OWN} is broken: remove it and run this again")
    if not python.exists() or subprocess.run([python, "-c", CHECK], cwd=HERE).returncode != 0:
        print(f"Installing {', '.join(NEEDED)} into {OWN} (once; some hundred megabytes)", file=sys.stderr, flush=True)
        try:
            venv.create(OWN, with_pip=True)
        except Exception as error:
            raise SystemExit(f"no environment could be made ({error}); {MANUAL}") from None
        install = [python, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"]
        if subprocess.run(install).returncode != 0:
            raise SystemExit(f"pip could not install them; {MANUAL}")
    raise SystemExit(subprocess.run([python, *sys.argv]).returncode)


def is_complete() -> bool:
    if any(find_spec(name) is None for name in NEEDED):
        return False
    import torch

    # The newest required part: older versions lack Muon.
    return hasattr(torch.optim, "Muon")


CHECK = "import environment, sys; sys.exit(not environment.is_complete())"
MANUAL = "install training/requirements.txt into an environment of your own and run train.py with its Python"
