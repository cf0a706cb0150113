"""placeholder"""


def export(subject, variant, folder):
    raise NotImplementedError
