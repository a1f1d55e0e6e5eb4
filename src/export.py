"""`python -m src.export checkpoint=FILE format=onnx out=model.onnx`: a trained generator for other programs."""

import sys

from src.config.command import command
from src.exporting.config import ExportConfig
from src.exporting.run import export
from src.system.errors import in_one_line


@command(config_name="export", schema=ExportConfig)
def main(config: ExportConfig) -> None:
    """Export, and say what was measured."""
    for line in export(config):
        sys.stdout.write(f"{in_one_line(line)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
