"""Sources are read for their imports in several threads at once."""

import gc
import threading

from stbuild.engine.keys.closure import imports_of

TEXT = "import a.b\n" + "".join(f"def f{n}(x):\n    return [x + {n}, (x, {n})]\n" for n in range(500))


class Garbage:
    """Garbage in a ring; whoever collects it waits until another thread has parsed something."""

    def __init__(self) -> None:
        self.ring = self

    def __del__(self) -> None:
        other = threading.Thread(target=imports_of, args=("import c", "", "c.py"))
        other.start()
        other.join(timeout=1)


def test_another_thread_parses_when_garbage_is_collected() -> None:
    usual = gc.get_threshold()
    gc.set_threshold(700)  # Python's own, at which the text is parsed amid a collection
    for _ in range(3):
        Garbage()
        assert imports_of(TEXT, "", "a.py") == {"a.b"}
    gc.set_threshold(*usual)
    gc.collect()
