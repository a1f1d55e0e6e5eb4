import pickle

from src.system.errors import BadFace, UserError, in_one_line, reason_of


def test_a_message_is_one_line_whatever_a_name_holds() -> None:
    assert str(UserError("a\nb\u2028c\x85\td é 照 is missing")) == "a\\nb\\u2028c\\x85\\td é 照 is missing"
    assert str(BadFace("x\r.png", "cut\n  short")) == "x\\r.png: cut short"
    assert in_one_line("C:\\new 'x' \xa0") == "C:\\new 'x' \xa0"


def test_an_error_of_a_worker_process_stays_what_it_was() -> None:
    assert str(pickle.loads(pickle.dumps(BadFace("a\n", "b")))) == "a\\n: b"


def test_what_a_library_says_is_cut_to_a_line() -> None:
    assert reason_of(ValueError("a\n  b")) == "a b"
    assert reason_of(ValueError()) == "ValueError"
    assert reason_of(ValueError("x" * 9000)) == "x" * 157 + "..."
