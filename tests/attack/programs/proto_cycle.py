"""Returns what has no form in JSON: cycles, and values that answer differently each time they are asked."""


class Shifty(dict):
    def __len__(self):
        return 1 << 62

    def items(self):
        return iter([("a", self)])

    def __getattribute__(self, name):
        raise KeyboardInterrupt(name)


class Liar(str):
    def __len__(self):
        return 1 << 62

    def encode(self, *args):
        return b'"forged"'


def main(way):
    cycle = []
    cycle.append(cycle)
    return {"cycle": cycle, "surrogate": "\ud800", "shifty": Shifty(), "liar": Liar("real"), "class": Shifty, "main": main}[way]
