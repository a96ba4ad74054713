"""Every language: where its words begin and end, its stems, what is found of it, and which one a text is in."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import Report, diff, search
from crawler.doctor import examine
from crawler.languages import BREAK, code, guess, is_word, mark, plain, spaced, stem, stems, uniform
from crawler.remedy import repair
from crawler.sections import words_of
from tests.site import Site
from tests.test_properties import steady

Run = Callable[..., Report]
OLD = {version: (Path(__file__).parent / "data" / f"schema-{version}.sql").read_text() for version in (3, 4)}

texts = st.text(
    st.characters(exclude_categories=("Cs",)) | st.sampled_from("漢字かなガｶﾞ한국ไทยกัခြသ་རྒྱ\u200b\xad\u3099Ａ１ é")
)


@steady
@given(texts)
def test_what_was_spaced_is_shown_as_it_was(text: str) -> None:
    """Spaces between characters come out again, and nothing else does."""
    said = uniform(text)
    assert plain(spaced(said)) == said
    assert uniform(said) == said


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("plain words", "plain words"),
        ("été Straße ёлка Ελλάδα", "été Straße ёлка Ελλάδα"),
        ("漢字かなカナー々", "|漢|字|か|な|カ|ナ|ー|々|"),
        ("Python入門", "Python|入|門|"),
        ("𠮷野家", "|𠮷|野|家|"),
        ("한국어", "|한|국|어|"),
        ("ที่นี่", "|ที่|นี่|"),
        ("ພາສາ", "|ພ|າ|ສ|າ|"),
        ("ភាសា", "|ភា|សា|"),
        ("မြန်မာ", "|မြ|န်|မာ|"),
        ("བོད་ཡིག", "|བོ|ད|་|ཡི|ག|"),
        ("हिन्दी नमस्ते", "हिन्दी नमस्ते"),
        ("漢、字。", "|漢|、|字|。"),
    ],
)
def test_characters_of_scripts_without_spaces_stand_alone(text: str, tokens: str) -> None:
    """Each with its marks, and apart from the letters of other scripts; all others are left as they are."""
    assert spaced(text).replace(BREAK, "|") == tokens


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Donau\xaddampf\u200bschiff", "Donaudampfschiff"),
        ("ＰＨＰ ８", "PHP 8"),
        ("ｶﾞｲﾄﾞ", "ガイド"),
        ("か\u3099", "が"),
        ("\u1112\u1161\u11ab", "한"),
        ("e\u0301", "é"),
        ("\ufb01le", "file"),
        ("（，！）①", "（，！）①"),
    ],
)
def test_what_looks_the_same_is_the_same(written: str, said: str) -> None:
    """Widths, ligatures and marks that stand apart are one spelling, and a word may be parted without being two."""
    assert uniform(written) == words_of(written) == said


def test_a_sentence_without_spaces_is_no_data() -> None:
    """A Chinese paragraph is kept however long it is; a run of letters in it that is too long is not."""
    paragraph = "我们在图书馆学习中文" * 100
    assert words_of(paragraph) == paragraph
    assert words_of(f"{paragraph}{'x' * 500}") == paragraph


@pytest.mark.parametrize(
    ("lang", "word", "other"),
    [
        ("fr", "chevaux", "cheval"), ("de", "Häuser", "Haus"), ("ru", "книги", "книга"), ("es", "canciones", "canción"),
        ("it", "pagine", "pagina"), ("pt", "palavras", "palavra"), ("nl", "boeken", "boek"),
        ("sv", "flickorna", "flicka"), ("fi", "taloissa", "talo"), ("hi", "किताबें", "किताब"), ("ar", "المكتبة", "مكتبة"),
        ("nn", "bøkene", "bøker"),
    ],
)  # fmt: skip
def test_forms_of_a_word_have_one_stem(lang: str, word: str, other: str) -> None:
    """What is said of a text is what is asked of it later."""
    assert stem(word, lang) == stem(other, lang)


def test_stems_are_marked_with_their_language() -> None:
    """Each once, in the order of the text; none of English, and none where there is no stemmer."""
    fr = mark("fr")
    assert stems("Les chevaux, les CHEVAUX! le cheval mange", "fr") == f"le{fr} cheval{fr} mang{fr}"
    assert len({mark("fr"), mark("de"), mark("rf")}) == 3
    assert stems("the horses", "en") == stems("馬", "ja") == stems("words", "") == ""
    assert stem("Horses", "xx") == "horses"


FOUND = [
    ("fr", "Les chevaux couraient dans la forêt", ("cheval", "courir", "foret", "FORÊTS")),
    ("de", "In den Häusern der Städte wohnen viele Menschen", ("Haus", "hauser", "Stadt", "viel")),
    ("ru", "Мы ещё читаем интересные книги", ("книга", "книгами", "читать", "еще")),
    ("es", "Las canciones más bonitas", ("canción", "cancion", "bonito")),
    ("el", "Η Ελλάδα έχει πολλά νησιά", ("ελλαδα", "ΕΛΛΆΔΑ", "νησί")),
    ("zh", "我在图书馆ＷＬＡＮ学习中文", ("图书馆", "学习", "书", "中文", "WLAN", "ｗｌａｎ")),
    ("ja", "東京都の猫はカーテンの陰で眠る", ("東京", "京都の", "猫", "カーテン", "ｶｰﾃﾝ")),
    ("ko", "한국어를 배우는 학생", ("한국어", "학생", "생", "배우")),
    ("th", "ฉันอ่านหนังสือที่บ้าน", ("หนังสือ", "บ้าน", "ที่")),
    ("hi", "हिन्दी की किताबें पढ़ना", ("किताब", "किताबों", "हिन्दी", "की")),
    ("ar", "قرأت الكتب في المكتبة", ("كتب", "مكتبة", "المكتبات", "في")),
]


@pytest.fixture
def everything(site: Site, run: Run) -> Site:
    """A site with a page of each language."""
    for lang, text, _ in FOUND:
        page = f"<html lang={lang}><title>{lang}</title><p>{text}".encode()
        site.raw(f"/{lang}", page, **{"Content-Type": "text/html; charset=utf-8"})
    site.page("/", links=[f"/{lang}" for lang, _, _ in FOUND])
    run()
    return site


def test_what_is_said_in_any_language_is_found(everything: Site, db: Path) -> None:
    """Other forms of a word, without accents, a character or two: each finds its page and none of another language."""
    missed = []
    for lang, _, queries in FOUND:
        for query in queries:
            found = [hit.url for hit in search(query, db=db).results]
            if found != [everything.url(f"/{lang}")]:
                missed.append((query, found))
    assert missed == []


def test_half_a_letter_finds_nothing(everything: Site, db: Path) -> None:
    """Marks are parts of words: a consonant is not found in a word that has it with a vowel, nor characters apart."""
    for query in ("क", "हन", "图学", "บาน"):
        assert search(query, db=db).total == 0, query


def test_hits_show_what_was_said(everything: Site, db: Path) -> None:
    """No break that was put in is seen: not in a hit, not in the digest that the doctor holds against the text."""
    (hit,) = search("東京", db=db).results
    assert hit.plain_snippet == FOUND[6][1]
    assert BREAK not in repr(hit)
    assert examine(db).sound


def test_the_form_that_was_asked_for_comes_before_others(site: Site, run: Run, db: Path) -> None:
    """A stem finds what the words themselves would miss, and ranks below them."""
    for path, text in (("/a", "nous donnerons une pomme"), ("/b", "vous donnez une pomme"), ("/c", "une poire")):
        site.raw(path, f"<html lang=fr><title>{path}</title><p>{text}".encode(), **{"Content-Type": "text/html"})
    site.page("/", links=["/a", "/b", "/c"])
    run()
    assert [hit.url for hit in search("donnez", db=db).results] == [site.url("/b"), site.url("/a")]


def test_links_call_pages_in_scripts_without_spaces(site: Site, run: Run, db: Path) -> None:
    """What a link calls a page is found by a part of it, too."""
    site.page("/a", body="<h2 id=b>B</h2>text")
    site.page("/", body="<a href=/a#b>図書館の案内</a>")
    run()
    assert site.url("/a#b") in [hit.href for hit in search("図書", db=db).results]


def test_titles_and_headings_are_found_and_shown(site: Site, run: Run, db: Path) -> None:
    """A part of a title finds its page, a part of a heading its section, and both are shown as they were said."""
    site.raw(
        "/", "<title>図書館の案内</title><h1>x</h1><h2 id=a>漢字辞典</h2>text".encode(), **{"Content-Type": "text/html"}
    )
    run()
    (hit,) = search("案内", db=db).results
    assert hit.title == "図書館の案内"
    (hit,) = search("辞典", db=db).results
    assert (hit.href, hit.heading) == (site.url("/#a"), "漢字辞典")


def test_what_a_section_calls_itself_is_no_news(site: Site, run: Run, db: Path) -> None:
    """A link by the very name of a section adds nothing, with breaks in the name or without."""
    site.page("/a", body="<h2 id=b>図書館の案内</h2>text")
    site.page("/", body="<a href=/a#b>図書館</a>")
    run()
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("SELECT links FROM called WHERE links LIKE '%図%'").fetchall() == []


def test_what_changed_is_shown_as_it_was_said(site: Site, run: Run, db: Path) -> None:
    """A difference of texts without spaces holds no breaks."""
    site.page("/", "猫が眠る。犬が走る。")
    run()
    site.page("/", "猫が眠る。鳥が飛ぶ。")
    run(fresh=True)
    lines = diff(site.url("/"), db=db).lines
    assert lines[-2:] == ("-犬が走る。", "+鳥が飛ぶ。")


SAMPLES = {
    "ar": "هذا هو الكتاب الذي قرأته في المدرسة على أن أعود إلى البيت مع صديقي",
    "be": "Гэта кніга, якую я чытаў у школе, але ён не ведаў, што каб з ім быў бы час",
    "bg": "Това е книгата, която прочетох в училището, и не може да се каже, че са за мен",
    "ca": "Aquest és el llibre que vaig llegir a l'escola, però no és per als nens i les nenes del poble",
    "cs": "To je kniha, kterou jsem četl ve škole, ale není to pro děti, které se na to dívají, nebo jak",
    "da": "Det er en bog, som jeg har læst på skolen, men den er ikke til børn, der skal være ude fra morgenen af",
    "de": "Das ist ein Buch, das ich in der Schule gelesen habe, und es ist nicht für die Kinder",
    "el": "Αυτό είναι το βιβλίο που διάβασα στο σχολείο",
    "en": "This is the book that I have read at school, and it is not for the children of the house",
    "es": "Este es el libro que leí en la escuela, pero no es para los niños que se van con una pelota",
    "et": "See on raamat, mida ma koolis lugesin, aga ei ole see, mis oli ka neile, kes ning kui",
    "eu": "Hau da eskolan irakurri nuen liburua, baina ez da haurrentzat eta hori baino hobea izan da edo bat",
    "fa": "این کتابی است که من در مدرسه خواندم و برای بچه‌ها است که با آن از خانه به مدرسه می روند",
    "fi": "Tämä on kirja, jonka luin koulussa, mutta se ei ole lapsille, joka oli niin kuin hän tai että",
    "fr": "C'est le livre que j'ai lu dans une école, et ce n'est pas pour les enfants qui sont sur la plage",
    "he": "זה הספר שקראתי בבית הספר",
    "hi": "यह वह किताब है जो मैंने स्कूल में पढ़ी और यह बच्चों के लिए नहीं है, इस को पढ़ने से",
    "hr": "To je knjiga koja se može čitati u školi, ali nije za djecu, što će biti kao i ili na kraju, također samo",
    "hu": "Ez az a könyv, amelyet az iskolában olvastam, és nem csak a gyerekeknek van, hogy még egy legyen",
    "id": "Ini adalah buku yang saya baca di sekolah dan tidak untuk anak-anak dengan bola itu dari rumah",
    "it": "Questo è il libro che ho letto nella scuola, ma non è per i bambini che si trovano con la palla del cane",
    "ja": "これは私が学校で読んだ本です",
    "ko": "이것은 내가 학교에서 읽은 책이다",
    "lt": "Tai yra knyga, kad ją skaičiau mokykloje, bet ji ne vaikams, ir su jais kaip iš namų į mokyklą ar po",
    "lv": "Šis ir grāmata, ko es lasīju skolā, bet tas nav bērniem, kas ir no mājām uz skolu un par vai kā",
    "mk": "Ова е книгата што ја читав во училиште и не може да се каже дека ќе биде за децата од ова место",
    "mr": "हे पुस्तक मी शाळेत वाचले आहे आणि ते मुलांसाठी नाही तो एक होते",
    "nb": "Det er en bok som jeg har lest på skolen, men den er ikke til barn av i dag, og vil å være ute fra",
    "ne": "यो किताब मैले स्कूलमा पढेको हो र यो बच्चाको लागि पनि छ तथा एक",
    "nl": "Dit is het boek dat ik op school heb gelezen en het is niet voor de kinderen van een school die er zijn",
    "pl": "To jest książka, którą przeczytałem w szkole, ale nie jest dla dzieci, które się na to i od tego są lub jak",
    "pt": "Este é o livro que li na escola, mas não é para as crianças que são da cidade em uma casa, e você pode",
    "ro": "Aceasta este cartea pe care am citit-o la școală și nu este pentru copii, care sunt în oraș cu mai multe",
    "ru": "Это книга, которую я читал в школе, но она не для детей, и это все, что может быть как от меня",
    "sk": "To je kniha, ktorú som čítal v škole, ale nie je pre deti, ktoré sa na to pozerajú, alebo by ako aj sú",
    "sl": "To je knjiga, ki sem jo bral v šoli, in ni za otroke, ki so pri nas ali kot tudi lahko iz mesta",
    "sr": "То је књига коју сам читао у школи, али није за децу, која се може читати као и што су или од других",
    "sv": "Det är en bok som jag har läst på skolan, men den är inte för barn och att de ska vara ute från av ett",
    "th": "นี่คือหนังสือที่ฉันอ่านที่โรงเรียน",
    "tr": "Bu okulda okuduğum bir kitap ve çocuklar için değil, ama daha çok büyükler için olan gibi ne kadar",
    "uk": "Це книга, яку я читав у школі, але вона не для дітей, і це все, що може бути як від мене та за ними",
    "ur": "یہ وہ کتاب ہے جو میں نے اسکول میں پڑھی اور یہ بچوں کے لیے نہیں ہے اس سے کہ",
    "vi": "Đây là cuốn sách mà tôi đã đọc ở trường và không dành cho trẻ em của người khác với những bạn này",
    "zh": "这是我在学校读过的书",
}


@pytest.mark.parametrize("lang", SAMPLES)
def test_a_language_is_known_by_a_sentence(lang: str) -> None:
    """By its script, or by its commonest words."""
    assert guess(SAMPLES[lang]) == lang


@pytest.mark.parametrize(
    "text", ["", "zebra", "x = 1; y = 2", "de la", "der " * 100, "lorem ipsum dolor sit amet", "Да"]
)
def test_no_language_is_better_than_a_wrong_one(text: str) -> None:
    """Few words, or one over and over, tell nothing."""
    assert guess(text) == ""


@pytest.mark.parametrize(
    ("tag", "lang"),
    [
        ("de", "de"), (" PT-br ", "pt"), ("zh_Hans_CN", "zh"), ("fil", "fil"), ("", ""), ("en, de", ""), ("und", ""),
        ("x-default", ""), ("{{ lang }}", ""), ("e", ""),
    ],
)  # fmt: skip
def test_the_code_of_a_tag(tag: str, lang: str) -> None:
    """Only what names one language does."""
    assert code(tag) == lang


@pytest.mark.parametrize(
    ("html", "header", "lang"),
    [
        ("<html lang=fr><meta http-equiv=content-language content=es>", "de", "fr"),
        ("<meta http-equiv=Content-Language content=es-MX>", "de", "es"),
        ("<meta http-equiv=content-language content='es, fr'>", "de", "de"),
        ("", "de-AT", "de"),
        ("", "de, fr", "en"),
        ("<html lang=und>", "", "en"),
    ],
)
def test_what_is_declared_is_believed(site: Site, run: Run, db: Path, html: str, header: str, lang: str) -> None:
    """First what the page says, then its server, then its words."""
    page = f"{html}<title>A</title><p>{SAMPLES['en']}".encode()
    site.raw("/", page, **{"Content-Type": "text/html", **({"Content-Language": header} if header else {})})
    run()
    assert search("book", db=db).results[0].lang == lang


def words(db: Path) -> dict[str, int]:
    with closing(sqlite3.connect(db)) as connection:
        return dict(connection.execute("SELECT word, sections FROM words"))


def test_words_are_counted_as_they_are_written(site: Site, run: Run, db: Path) -> None:
    """Without case and accents, unstemmed, a section once; no numbers, no data, no single characters."""
    site.page("/", "Running Zürich, running 2026 1a2b3c4d5 学 x " + "y" * 41, title="Runs")
    site.page("/a", "running", title="Runs")
    run("/", "/a")
    assert words(db) == {"running": 2, "zurich": 1, "runs": 2}
    site.page("/a", "walking", title="Walks")
    run("/", "/a", fresh=True)
    assert words(db) == {"running": 1, "zurich": 1, "runs": 1, "walking": 1, "walks": 1}


@pytest.mark.parametrize("word", ["zebra", "utf8", "हिन्दी", "ǆ" * 40])
def test_words(word: str) -> None:
    """Letters, or mostly letters."""
    assert is_word(word)


@pytest.mark.parametrize("token", ["", "a", "1234", "a12", "学", "กั", "한", "z" * 41, "3f2a9c81"])
def test_no_words(token: str) -> None:
    """Numbers, digests, characters of scripts without spaces."""
    assert not is_word(token)


def test_few_new_sections_of_many_are_no_reason_to_count_again(
    site: Site, run: Run, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large index the words are as old as the last crawl that brought a hundredth of it."""
    from crawler.store import sqlite

    site.page("/", "zebra", body="".join(f"<h2 id=x{number}>more</h2>" for number in range(120)))
    run()
    assert "zebra" in words(db)
    monkeypatch.setattr(sqlite, "WORTH_COUNTING", sqlite.WORTH_COUNTING.replace("50000", "1"))
    site.page("/a", "gnu")
    run("/a")
    assert "gnu" not in words(db)
    site.page("/b", "giraffe", body="<h2>other</h2>" * 3)
    run("/b")
    assert {"gnu", "giraffe"} <= words(db).keys()


def old(path: Path, text: str, lang: str, version: int = 3) -> None:
    """A file of schema 3 or 4 with a page that says the text, as its crawler wrote it."""
    from crawler.fingerprint import digest

    if version == 4:
        text = uniform(text)
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.executescript(OLD[version])
        file.execute(
            "INSERT INTO urls(id, url, host, depth, state, reason, status, fetched_at) "
            "VALUES (1, 'http://h/', 'h', 0, 'done', '', 200, '2026-01-01T00:00:00Z')"
        )
        file.execute(
            "INSERT INTO pages(id, url, title, lang, site, text_hash) VALUES (1, 'http://h/', ?, ?, 'h', ?)",
            (text[:5], lang, digest(f"{text[:5]}\n{text}".encode())),
        )
        file.execute(
            'INSERT INTO sections(id, page, "order", anchor, title, heading, ids, terms, text) '
            "VALUES (1, 1, 0, '', ?, ?, '', ?, ?)",
            (text[:5], text[:5], text[:3], text if version == 3 else spaced(text)),
        )
        if version == 4:
            file.execute("UPDATE sections SET stems = 'cheval dans'")
        file.execute("INSERT INTO called VALUES (1, ?)", (text[-4:],))
        file.execute("INSERT INTO called_fts(called_fts) VALUES ('rebuild')")


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize(
    ("lang", "text", "queries"),
    [
        ("fr", "Les chevaux dansaient", ("cheval", "chevaux", "danser")),
        ("", SAMPLES["de"], ("Kind", "Bücher", "gelesen")),
        ("ja", "東京都の猫\u200bはカー\xadテンの陰で眠る", ("東京", "猫は", "カーテン", "で眠る")),
        ("en", "plain old words in C++", ("plain", "word", "C++")),
    ],
)
def test_an_older_file_learns_its_languages(
    db: Path, lang: str, text: str, queries: tuple[str, ...], version: int
) -> None:
    """The doctor brings it up: forms, single characters and the languages of pages are known, and the file is sound."""
    old(db, text, lang, version)
    diagnosis = examine(db)
    assert diagnosis.sound, diagnosis
    for query in queries:
        assert search(query, db=db).total == 1, query
    (hit,) = search(queries[0], db=db).results
    assert hit.plain_snippet == uniform(text)
    assert hit.lang == (lang or "de")
    assert words(db) or lang == "ja"


def test_a_crawl_goes_on_in_a_file_of_schema_3(site: Site, run: Run, db: Path) -> None:
    """What is added to it and what it held before are found alike."""
    old(db, "東京都の猫", "ja")
    site.page("/", "京都の犬")
    run()
    assert search("京都の", db=db).total == 2


def test_what_is_saved_of_an_older_file_is_searched_in_every_language(db: Path) -> None:
    """A file of schema 3 that cannot be brought up is made anew by a repair, and its texts are taken apart then."""
    old(db, "東京都の猫", "ja")
    with closing(sqlite3.connect(db, isolation_level=None)) as file:
        file.execute("PRAGMA writable_schema = ON")
        file.execute("DELETE FROM sqlite_master WHERE name = 'sections_fts_data'")
    assert repair(db).after.sound
    assert search("京都", db=db).results[0].plain_snippet == "東京都の猫"


def test_one_stemmer_a_thread() -> None:
    """Stems do not depend on which thread asks, or how many at once."""
    from concurrent.futures import ThreadPoolExecutor

    jobs = [(word, lang) for _ in range(200) for word, lang in (("chevaux", "fr"), ("Häuser", "de"), ("книги", "ru"))]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda job: stem(*job), jobs)) == ["cheval", "haus", "книг"] * 200


def test_what_is_passed_over_needs_nothing() -> None:
    """A quick look at a text never lets a character through that would be changed, or parted from its neighbours."""
    import crawler.languages as module

    every = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    even = "".join(module._EVEN.findall(every))
    for pattern in (module._PRIVATE, module._INVISIBLE, module._UNEVEN):
        assert pattern.search(even) is None
    assert not {BREAK, "\xad"} & set(even)
    assert re.search(module._RUN, "".join(module._WITH_SPACES.findall(every))) is None
    assert len(even) > 40_000


def test_of_pages_alike_the_one_in_its_own_language_stands_for_them(site: Site, run: Run, db: Path) -> None:
    """A translation that was not translated is found as the original, whichever address comes first."""
    text = " ".join(f"word{number}" for number in range(200))
    site.page("/", "start", links=["/de-DE/filter", "/en-US/filter"])
    site.page("/de-DE/filter", f"{text} oder", title="Firewall oder Filter")
    site.page("/en-US/filter", f"{text} or", title="Firewall or Filter")
    run()
    (hit,) = search("firewall lang:en", db=db).results
    assert (hit.url, hit.similar) == (site.url("/en-US/filter"), 1)
