"""What differs between two commands, in words: option by option where a step's settings differ."""

from stbuild.engine.keys.changes import changes

MODULE = ("python", "-m", "my.steps.trace")


def told(old: tuple[str, ...], new: tuple[str, ...]) -> list[tuple[str, str, str]]:
    return changes({"argv": list(old)}, {"argv": list(new)})


def test_settings_of_a_step_are_told_one_by_one() -> None:
    old, new = (*MODULE, "--context=128", "--name=a=b"), (*MODULE, "--name=a=c", "--context=256", "--seed=1")
    assert told(old, new) == [
        ("command --context", "128", "256"),
        ("command --name", "a=b", "a=c"),
        ("command --seed", "absent", "1"),
    ]


def test_an_option_that_is_repeated_is_told_with_the_whole_command() -> None:
    old, new = (*MODULE, "--note=a", "--note=b"), (*MODULE, "--note=a", "--note=c")
    assert told(old, new) == [("command", " ".join(old), " ".join(new))]


def test_another_program_is_told_as_a_whole() -> None:
    assert told(("a", "--x=1"), ("b", "--x=2")) == [("command", "a --x=1", "b --x=2")]
    assert told(("g++", "-c"), ("g++", "-S")) == [("command", "g++ -c", "g++ -S")]
