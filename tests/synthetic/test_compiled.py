from pathlib import Path

from src.synthetic.compiled import discard_stale_cache


def test_an_edit_anywhere_in_the_package_discards_what_was_compiled(tmp_path: Path) -> None:
    caller, callee = tmp_path / "caller.py", tmp_path / "callee.py"
    caller.write_text("import callee\n")
    callee.write_text("A = 1\n")
    discard_stale_cache(tmp_path)
    compiled = tmp_path / "__pycache__" / "caller.f-1.py311.1.nbc"
    compiled.write_bytes(b"machine code")
    assert not discard_stale_cache(tmp_path)
    assert compiled.exists()
    callee.write_text("A = 2\n")
    assert discard_stale_cache(tmp_path)
    assert not compiled.exists()
