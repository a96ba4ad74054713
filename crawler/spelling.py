def suggest(connection, word):
    return None
