"""Where the project lies: its reference data and dictionaries are found from here."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
