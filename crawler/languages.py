"""What differs from language to language: where words end, their stems; and which language a text is in. Pure.

FTS5's tokenizer takes words from the spaces between them. Scripts that are written without spaces get invisible ones
around every character, so that a word of theirs is a phrase of characters; Korean gets them too, for its particles
stand at the words. The zero width space U+200B is the sign for where a line may break (UAX #14), and is taken out of
what pages say beforehand: so it can be put in and taken out again.
"""

import re
import threading
from collections import Counter, defaultdict
from functools import cache
from itertools import chain
from typing import Any, Final
from unicodedata import normalize

BREAK: Final = "\u200b"
_SOFT_HYPHEN: Final = "\xad"  # where a word may be parted, and is none of its letters

_HAN: Final = (
    "\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_KANA: Final = "\u3041-\u3096\u309b-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
_HANGUL: Final = "\uac00-\ud7a3"
_THAI: Final = "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46"
_LAO: Final = "\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u0edc-\u0edf"
_KHMER: Final = "\u1780-\u17b3\u17d7\u17dc"
_MYANMAR: Final = (
    "\u1000-\u102a\u103f\u1050-\u1055\u105a-\u105d\u1061\u1065\u1066\u106e-\u1070\u1075-\u1081\u108e\ua9e0-\ua9e4"
    "\ua9e6-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa7a\uaa7e\uaa7f"
)
_TIBETAN: Final = "\u0f40-\u0f6c\u0f88-\u0f8c"
_BASES: Final = f"{_HAN}{_KANA}\u3105-\u312f\u31a0-\u31bf{_HANGUL}{_THAI}{_LAO}{_KHMER}{_MYANMAR}{_TIBETAN}"
# Marks of these scripts, and those that stand with any.
_MARKS: Final = (
    "\u0300-\u036f\u3099\u309a\ufe00-\ufe0f\U000e0100-\U000e01ef\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc"
    "\u0ec8-\u0ece\u17b4-\u17d3\u17dd\u102b-\u103e\u1056-\u1059\u105e-\u1060\u1062-\u1064\u1067-\u106d\u1071-\u1074"
    "\u1082-\u108d\u108f\u109a-\u109d\ua9e5\uaa7b-\uaa7d\u0f18\u0f19\u0f35\u0f37\u0f39\u0f71-\u0f84\u0f86\u0f87"
    "\u0f8d-\u0fbc"
)
# Compiled when first used, by `re` itself: it takes milliseconds, and a search in English needs neither.
_RUN: Final = f"[{_BASES}][{_BASES}{_MARKS}]*"
_CHARACTER: Final = f"[{_BASES}][{_MARKS}]*"

# Letters and digits as wide as a Chinese character, kana half as wide, ligatures.
_WIDTHS: Final = "\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff65-\uff9f\ufb00-\ufb06"
# Icons of a font, which are no letters of the word beside them; joiners and variants, which nobody types.
_PRIVATE: Final = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]+")
_INVISIBLE: Final = re.compile("[\u2060\ufe00-\ufe0f\ufeff]+")
# Most texts hold nothing but these, where nothing is to be done. Ranges are tried in their order: the first is enough.
_EVEN: Final = re.compile("[\x00-\xac\xae-\u02ff\u0370-\u10ff\u1200-\u200a\u200c-\u205f\u2061-\u3098\u309b-\ud7ff]*")
_WITH_SPACES: Final = re.compile("[\x00-\u0dff\u1e00-\u2e7f]*")
_DIACRITICS: Final = re.compile("[\u0300-\u0331]")  # those that unicode61 takes away
_OTHER_WIDTHS: Final = re.compile(f"[{_WIDTHS}]+")
_UNEVEN: Final = re.compile(f"[\u0300-\u036f\u1100-\u11ff\u3099\u309a{_WIDTHS}]")  # marks apart, Hangul in parts

# Nearly as the tokenizer sees them: letters, digits, and the marks of scripts that write vowels so. One set of
# characters takes a third of the time of two by turns.
_WORD: Final = re.compile(
    r"[\w\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0903\u093a-\u094f\u0951-\u0957"
    r"\u0962\u0963\u0981-\u0983\u09bc-\u09cd\u0a01-\u0a03\u0a3c-\u0a4d\u0b82\u0bbe-\u0bcd]+"
)
_LONGEST_WORD: Final = 40  # letters; what is longer is data

_STEMMERS: Final = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "eo": "esperanto",
    "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fr": "french", "ga": "irish",
    "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian",
    "nb": "norwegian", "ne": "nepali", "nl": "dutch", "nn": "norwegian", "no": "norwegian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "st": "sesotho", "sv": "swedish",
    "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
_MARKS_BEGIN: Final = 0xE200
_AROUND: Final = ".,;:!?()[]\"'«»“”„’…"  # of a word: what is none of its letters
_REMEMBERED: Final = 50_000  # pieces of text whose stems need not be worked out again


class _Stems(dict[str, tuple[str, ...]]):
    """Of what stands between two spaces, the stems of its words, marked; found out when first asked for.

    To look for words in what is new only takes a third of the time.
    """

    def __init__(self, stemmer: Any, sign: str) -> None:
        super().__init__()
        self._stemmer = stemmer
        self._sign = sign

    def __missing__(self, piece: str) -> tuple[str, ...]:
        bare = piece.strip(_AROUND)
        if bare.isalpha():  # as most are
            found = {self._stemmer.stemWord(bare.lower())}
        else:
            found = {*self._stemmer.stemWords(_WORD.findall(piece.lower()))}
        # Of a short word of Hindi nothing but a consonant may be left, which says nothing.
        marked = self[piece] = tuple(one + self._sign for one in found if len(one) > 1)
        return marked


class _Stemmers(threading.local):
    """Those of a thread, by language, for no two threads must use one at once; and the stems of pieces of text."""

    def __init__(self) -> None:
        self.stemmers: dict[str, Any] = {}
        self.known: dict[str, _Stems] = {}


_of_thread = _Stemmers()

_TAG: Final = re.compile(r"\s*([A-Za-z]{2,8})(?:[-_][\w-]*)?\s*")
_NO_LANGUAGE: Final = frozenset({"und", "mul", "mis", "zxx"})  # ISO 639-2: not known, many, not coded, none

_SAMPLE: Final = 2_000  # characters, from the beginning and from the middle, that a language is guessed from
_ENOUGH: Final = 3  # different function words, at least
_SHARE: Final = 0.06  # of the words, at least
_ENGLISH: Final = 12  # times "the"; a text of another language that quotes English has it less often
_MARGIN: Final = 1.2  # times what speaks for any other language

# Scripts that tell a language by themselves; the first that a good part of the letters are of.
_SCRIPTS: Final = {
    "ja": _KANA, "ko": _HANGUL, "zh": _HAN, "th": _THAI, "lo": _LAO, "km": _KHMER, "my": _MYANMAR, "bo": _TIBETAN,
    "el": "\u0370-\u03ff\u1f00-\u1fff", "he": "\u05d0-\u05ea", "hy": "\u0531-\u0587", "ka": "\u10a0-\u10ff",
    "bn": "\u0985-\u09b9", "pa": "\u0a05-\u0a39", "gu": "\u0a85-\u0ab9", "ta": "\u0b85-\u0bb9", "te": "\u0c05-\u0c39",
    "kn": "\u0c85-\u0cb9", "ml": "\u0d05-\u0d39", "si": "\u0d85-\u0dc6", "am": "\u1200-\u135a",
}  # fmt: skip
_OF_A_SCRIPT: Final = "[\u0370-\u03ff\u0531-\u05ea\u0985-\u1fff\u3041-\ud7a3]"
# Of languages that share a script, the words that every text of theirs is full of.
_FUNCTION_WORDS: Final = {
    "ar": "في من على أن إلى هذا التي مع عن هذه ما لا أو هو كل الذي كان ذلك بعد قد هي ان تم يمكن",
    "be": "і ў не на што з да як гэта для ад або у па па-за але каб быў яго такі",
    "bg": "и на в да се за е от с не по като или са ще това който при може към",
    "ca": "el la els les de que i en un una per amb no és del dels al com més es aquest o si ho pot d'un són aquesta",
    "cs": "a v se na je že to s z do o i pro by jak nebo být jsou po který jako které k lze tím může také aby",
    "da": "og i det er en af at til på som med for den ikke de der et kan har eller fra du vil skal blev være ved",
    "de": "der die und das ist nicht den von zu mit ein eine sie auf für des dem im sich auch werden wird oder wie aus",
    "en": "the of and to in is that for it with as on are this be by from or an not you which can at have was will",
    "es": "el la los las de que y en un una es por con para del se no su al como más lo o este esta puede son",
    "et": "ja on ei et see kui oma ka või mis ning aga siis seda selle mida kes oli võib nii",
    "eu": "eta da ez dago bat dira ere baina egin duen dute edo du izan beste hau den baino",
    "fa": "و در به از که این را با است برای آن می یک شود های یا شما بر تا هر باشد کنید خود",
    "fi": "ja on ei se että tai kun myös ovat joka mutta niin oli hän kuin voi ole sen jos ne tämä",
    "fr": "le la les de des et est une un du en que pour dans qui pas sur au par avec vous plus ce sont ou cette il",
    "hi": "के है में की से और का को पर यह हैं एक नहीं कि लिए भी ने इस जो या था",
    "hr": "u i je na se za da su od s o koji ne ili kao iz što biti će može nije koja bi također samo sve",
    "hu": "a az és egy hogy nem is van meg ez vagy de csak mint még el ha azt lehet kell ezt",
    "id": "yang dan di untuk dengan dari ini pada adalah tidak dalam akan ke atau itu dapat oleh juga anda sebuah",
    "it": "il la di che e è un una per non in con del della sono si le i gli da al più come nel o lo questo può",
    "lt": "ir yra kad į iš su tai ne kaip bet ar už buvo po gali arba apie jis dėl nuo",
    "lv": "un ir ka no uz ar kas par tas nav kā vai lai bet tiek var šis pēc jūs",
    "mk": "и на во да се за е од со не по како или што ќе ова кој при може ги",
    "mr": "आहे आणि या ते हे एक आहेत नाही तो होते व मध्ये का मी",
    "nb": "og i det er en av å til på som med for den ikke de et kan har eller fra du om vil skal ble være ved",
    "ne": "छ र को मा यो पनि हो छन् गर्न लागि एक भएको गर्ने तथा बाट",
    "nl": "de het een en van in is dat op te voor met niet zijn die aan er om als ook of worden wordt bij naar u",
    "pl": "i w na z się nie do to jest że o jak od po za dla przez lub są być co może oraz tym który",
    "pt": "o a os as de que e do da em um uma para com não é no na por se mais dos ao como são ou você pode",
    "ro": "și de în la a cu pe nu este care un o din pentru sau mai să se ca fi sunt prin poate acest",
    "ru": "и в не на что с по это как для из от к или а при его то но вы все может если также",
    "sk": "a v sa na je že to s z do o aj pre by ako alebo byť sú po ktorý ktoré k môže tým však",
    "sl": "in v je na se za da so od z ki ne ali kot iz pri po tudi lahko bi ni če tem",
    "sr": "и у је на се за да су од са не или као што који из бити може није по",
    "sv": "och i att det är en av som på för med den inte till de ett kan har eller från om du ska vid var",
    "tr": "ve bir bu için ile de da olarak olan daha çok veya gibi ancak kadar her ne ise değil olduğu en sonra",
    "uk": "і в не на що з до та як це для від або є за про його у але при може якщо також ви",
    "ur": "کے میں کی ہے اور سے کا کو پر یہ نہیں ہیں ایک اس کہ جو نے بھی لیے",
    "vi": "và của là có được cho các một không trong với này để những khi từ đã người bạn thể trên về như",
}  # fmt: skip


def code(tag: str) -> str:
    """The primary subtag of a language tag (BCP 47) in lower case: `pt` of `pt-BR`; empty for what is not one tag."""
    match = _TAG.fullmatch(tag)
    found = match[1].lower() if match else ""
    return "" if found in _NO_LANGUAGE else found


def guess(text: str) -> str:
    """The language of a text by its script or its commonest words, ISO 639-1; empty when that is not clear.

    Looks at the beginning and the middle of the text. A word that several languages share speaks for each in part.
    """
    middle = max(_SAMPLE, len(text) // 2)
    sample = f"{text[:_SAMPLE]} {text[middle : middle + _SAMPLE]}".lower()
    if sample.count(" the ") >= _ENGLISH:  # as most texts are
        return "en"
    if not sample.isascii() and re.search(_OF_A_SCRIPT, sample):
        letters = sum(map(str.isalpha, sample))
        others = "".join(re.findall("[\u0370-\U0010ffff]+", sample))  # than Latin ones
        for lang, script in _SCRIPTS.items():
            found = len(re.findall(f"[{script}]", others))
            # Of kana there are few where the rest is Han, and a character of the three says as much as several letters.
            if found * (8 if lang in ("ja", "ko", "zh") else 4) > letters:
                return lang
    words = Counter(_WORD.findall(sample))
    votes: dict[str, float] = defaultdict(float)
    speaks_for = _speaks_for()
    telling = words.keys() & speaks_for.keys()
    for word in telling:
        for lang in speaks_for[word]:
            votes[lang] += words[word] / len(speaks_for[word])
    ranked = sorted(votes, key=lambda lang: -votes[lang])
    if not ranked:
        return ""
    best, next_best = ranked[0], votes[ranked[1]] if len(ranked) > 1 else 0.0
    told_by = sum(best in speaks_for[word] for word in telling)
    is_clear = votes[best] >= max(_SHARE * words.total(), _MARGIN * next_best)
    return best if told_by >= _ENOUGH and is_clear else ""


@cache
def _speaks_for() -> dict[str, list[str]]:
    """Of each function word the languages that have it. Not made by who only searches."""
    found = defaultdict(list)
    for lang, words in _FUNCTION_WORDS.items():
        for word in dict.fromkeys(words.split()):
            found[word].append(lang)
    return dict(found)


def uniform(text: str) -> str:
    """The text without signs of where its words may be parted, and with one spelling for what is one letter.

    That is Unicode's NFC, and of NFKC what concerns widths of letters; other compatibility characters stay as they are.
    """
    if text.isascii() or _EVEN.fullmatch(text):
        return text
    text = text.replace(BREAK, "").replace(_SOFT_HYPHEN, "")
    text = _INVISIBLE.sub("", _PRIVATE.sub(" ", text))
    if not _UNEVEN.search(text):
        return text
    return normalize("NFC", _OTHER_WIDTHS.sub(lambda run: normalize("NFKC", run[0]), text))


def spaced(text: str) -> str:
    """The text with U+200B around every character, its marks included, of scripts that are written without spaces."""
    return text if text.isascii() or _WITH_SPACES.fullmatch(text) else re.sub(_RUN, _parted, text)


def _parted(run: re.Match[str]) -> str:
    return f"{BREAK}{BREAK.join(re.findall(_CHARACTER, run[0]))}{BREAK}"


def plain(text: str) -> str:
    """What was spaced, as it was before."""
    return text.replace(BREAK, "")


def folded(word: str) -> str:
    """The word as FTS5's unicode61 with `remove_diacritics 2` has it: small, and Latin letters without diacritics."""
    word = word.lower().replace("ς", "σ")
    return word if word.isascii() else _DIACRITICS.sub("", "".join(map(_bare, word)))


def _bare(letter: str) -> str:
    base = normalize("NFD", letter)[0]
    return base if base.isascii() else letter


def is_word(token: str) -> bool:
    """Whether a token is what a person might begin to type or misspell: no number, no code, no single character."""
    if not 1 < len(token) <= _LONGEST_WORD or re.match(_CHARACTER, token):
        return False
    return token.isalpha() or 2 * sum(map(str.isdigit, token)) <= len(token)


def mark(lang: str) -> str:
    """A character of private use that stands behind the stems of a language: they count for its pages alone."""
    return chr(_MARKS_BEGIN + 26 * (ord(lang[0]) - ord("a")) + ord(lang[1]) - ord("a"))


def language_of(sign: str) -> str:
    """The language whose mark it is."""
    first, second = divmod(ord(sign) - _MARKS_BEGIN, 26)
    return chr(first + ord("a")) + chr(second + ord("a"))


def stem(word: str, lang: str) -> str:
    """The stem of a word in a language, by Snowball; the word itself, in lower case, where there is no stemmer."""
    stemmer = _stemmer(lang)
    return str(stemmer.stemWord(word.lower())) if stemmer else word.lower()


def stems(text: str, lang: str) -> str:
    """The stems of the words of a text in a language, each once, with the mark of the language, with spaces between.

    Empty for English, whose stems the index makes itself, and for languages without stemmer.
    """
    if (stemmer := _stemmer(lang)) is None:
        return ""
    known = _of_thread.known.get(lang)
    if known is None or len(known) > _REMEMBERED:
        known = _of_thread.known[lang] = _Stems(stemmer, mark(lang))
    return " ".join(dict.fromkeys(chain.from_iterable(map(known.__getitem__, text.split()))))


def has_stems(lang: str) -> bool:
    """Whether texts in a language get stems here: English ones have those of the index itself."""
    return lang in _STEMMERS


def _stemmer(lang: str) -> Any:
    """This thread's stemmer of a language, or None. Loaded when first asked for: most searches need none."""
    if lang not in _STEMMERS:
        return None
    if lang not in _of_thread.stemmers:
        from Stemmer import Stemmer  # type: ignore[import-not-found]

        _of_thread.stemmers[lang] = Stemmer(_STEMMERS[lang], 0)  # its own cache takes as long as the stemming
    return _of_thread.stemmers[lang]
