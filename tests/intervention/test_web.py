"""The page: in a real browser by its keys; and what it refuses, whoever asks."""

import http.client
import json
import shutil
import threading
import time
from urllib.parse import urlsplit

import pytest

from swr1.intervention.config import InterveneConfig
from swr1.intervention.difference import difference
from swr1.intervention.session import Session
from tests.conftest import jsonl, load
from tests.intervention.completions import TEXT, WENT_ON, Scripted, completed, tokenizer, writer

pytest.importorskip("flask", reason="the extra `web` is not installed")
from swr1.intervention.web.server import open_server

HOSTILE = "<think> <img src=x onerror=alert(1)>\n<script>document.title='owned'</script>\n</think>"
MENDED = TEXT.replace("wrong", "right")


@pytest.fixture(scope="module")
def words():
    return tokenizer()


@pytest.fixture
def served(tmp_path, words):
    """The session and the page's address, while it is served."""
    trace = {"score": 0.0, "label": "unsound", "detail": {"steps": 3, "wrong_step": 1,
             "message": "it does <b>not</b> follow"}}  # fmt: skip
    records = [
        completed(words, "aa", 0, verdicts={"trace": trace}),
        completed(words, "aa", 1, HOSTILE, info={"x": "<b>"}),
        completed(words, "bb", 0),
    ]
    (tmp_path / "r.jsonl").write_bytes(jsonl(records))
    session = Session(
        str(tmp_path / "r.jsonl"), edits=tmp_path / "e.jsonl", output=str(tmp_path / "out.jsonl"),
        writer=writer(Scripted(words)), who="ana",
    )  # fmt: skip
    server, url = open_server(session, InterveneConfig(web=True))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield session, url
    server.shutdown()
    thread.join()
    server.server_close()


def ask(url, path="", body=None, **headers):
    """(status, headers, text): as a browser that may say any Host and Origin asks."""
    place = urlsplit(url)
    origin = {"Origin": f"http://{place.netloc}", "Content-Type": "application/json"}
    headers = (origin if body is not None else {}) | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    method = "GET" if body is None else "POST"
    data = None if body is None else json.dumps(body)
    sent = {n: v for n, v in headers.items() if v is not None}
    connection.request(method, place.path + path, data, sent)
    reply = connection.getresponse()
    return reply.status, reply.headers, reply.read().decode()


def edited(session, **more):
    return {
        "digest": session.state(session.find("aa", 0)).digest, "text": MENDED,
        "to_end": False, "why": "", "from": "", **more,
    }  # fmt: skip


def test_an_edit_is_stored_gone_on_from_undone_and_exported(served):
    session, url = served
    status, _, text = ask(url, "api/records/0/edit", edited(session, why="it is right"))
    assert status == 200 and json.loads(text)["pending"]
    status, _, text = ask(url, "api/records/0/continue", {})
    page = json.loads(text)
    assert page["text"] == "<think> one two\nthree right" + WENT_ON
    assert [part["kind"] for part in page["before"]] == ["kept", "old", "dropped"]
    assert [part["text"] for part in page["after"]][1:] == ["right", WENT_ON]
    assert [r["completion"] for r in load(session.output)] == [page["text"]]
    status, headers, text = ask(url, "api/export/dpo")
    assert [json.loads(line)["reward"] for line in text.splitlines()] == [1.0, 0.0]
    assert headers["Content-Disposition"] == "attachment; filename=dpo.jsonl"
    status, _, text = ask(url, "api/records/0/undo", {"digest": page["digest"]})
    assert json.loads(text)["text"] == TEXT


def test_a_known_edit_is_offered_and_stored_only_with_the_text_that_has_it(served, tmp_path):
    session, url = served
    of = session.find("aa", 0)
    session.store(of, session.state(of).digest, difference(TEXT, MENDED), "it is right")
    _, _, text = ask(url, "api/records/2")  # of another record, with the same question
    page = json.loads(text)
    [offer] = page["offers"]
    assert (offer["find"], offer["put"]) == ("three wrong", "three right")
    assert offer["similar"] == 1 and "'wrong' -> 'right'  (it is right)" in offer["change"]
    assert json.loads(ask(url, "api/records/1")[2])["offers"][0]["find"] is None  # does not fit
    assert page["text"] == TEXT and len(session.journal.read()) == 1
    body = {"digest": page["digest"], "text": MENDED, "to_end": False, "why": ""}
    for name, status in (("zz", 422), (offer["edit"], 200)):
        status_is, _, text = ask(url, "api/records/2/edit", body | {"from": name})
        assert status_is == status, text
    stored = session.state(session.find("bb")).levels[0].edit
    assert (stored["from"], stored["why"]) == (offer["edit"], "it is right")
    page = json.loads(text)
    assert page["offers"] == [] and page["history"][0]["from"] == offer["edit"]


def test_a_second_edit_of_what_has_changed_is_refused(served):
    session, url = served
    mine = edited(session)
    of = session.find("aa", 0)
    session.store(of, mine["digest"], difference(TEXT, TEXT + "x", True))  # another person's
    before = session.journal.path.read_bytes()
    status, _, text = ask(url, "api/records/0/edit", mine)
    assert status == 409 and "changed meanwhile" in json.loads(text)["error"]
    status, _, text = ask(url, "api/records/0/undo", {"digest": mine["digest"]})
    assert status == 409
    assert session.journal.path.read_bytes() == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": None}, 403),
        ({"Host": "evil.example"}, 403),  # a name that was made to resolve to 127.0.0.1
        ({"Host": "evil.example:80", "Origin": "http://evil.example:80"}, 403),
        ({"Content-Type": "text/plain"}, 415),  # what a form of another page could send
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_a_page_from_another_origin_cannot_post(served, headers, status):
    session, url = served
    assert ask(url, "api/records/0/edit", edited(session), **headers)[0] == status
    assert session.journal.read() == []


@pytest.mark.parametrize("path", ["", "api/records", "api/records/0", "api/export/sft"])
def test_nothing_is_shown_under_another_host_or_without_the_token(served, path):
    _, url = served
    assert ask(url, path)[0] == 200
    assert ask(url, path, Host="evil.example")[0] == 403
    place = urlsplit(url)
    other = f"http://{place.netloc}/{'x' * 32}/"
    assert ask(other, path)[0] == 404
    assert ask(f"http://{place.netloc}/", path)[0] == 404


def test_every_answer_says_that_nothing_else_may_be_loaded_or_framed(served):
    _, url = served
    for path in ("", "page.js", "page.css", "api/records", "no/such"):
        headers = ask(url, path)[1]
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "http" not in policy
        assert headers["Referrer-Policy"] == "no-referrer"  # the address has the token
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("api/records/9/edit", None, 404),
        ("api/records/0/edit", {"text": "x"}, 422),
        (
            "api/records/0/edit",
            {"digest": "x", "text": 1, "to_end": False, "why": "", "from": ""},
            422,
        ),
        ("api/records/0/edit", [], 422),
        ("api/records/0/continue", {}, 422),  # there is no edit to go on from
        ("api/records/0/undo", {"digest": "x"}, 409),
        ("page.py", None, 404),
        ("api/export/../../etc", None, 404),
    ],
)
def test_a_request_that_is_none_is_one_line(served, path, body, status):
    session, url = served
    method = body if body is not None or "edit" not in path else edited(session)
    code, _, text = ask(url, path, method)
    assert code == status and "\n" not in json.loads(text)["error"]
    assert "Traceback" not in text


def test_the_port_that_is_taken_is_one_line(served):
    from swr1.errors import SwrError

    session, url = served
    with pytest.raises(SwrError, match="cannot be had"):
        open_server(session, InterveneConfig(web=True, port=urlsplit(url).port))


# --- in a real browser -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("no chromium and chromedriver here")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1300,800"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(programs[1]))
    yield driver
    driver.quit()


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come")


def text_of(browser, name):
    return browser.execute_script("return document.getElementById(arguments[0]).textContent", name)


@pytest.mark.slow
def test_by_the_keyboard_alone_a_step_is_mended_gone_on_from_and_undone(served, browser):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    session, url = served
    browser.get(url)

    def press(*keys):
        ActionChains(browser).send_keys(*keys).perform()

    until(lambda: "sample 0" in text_of(browser, "title"))
    wrong = browser.find_element("css selector", ".step.wrong")
    assert "three wrong" in wrong.text and "it does <b>not</b> follow" in wrong.text
    press("j")
    until(lambda: "sample 1" in text_of(browser, "title"))
    assert "onerror=alert(1)" in text_of(browser, "before")  # as text
    assert browser.title == "swr1 intervene"
    assert not browser.find_elements("css selector", "#before img, #before script")
    press("k")
    until(lambda: "sample 0" in text_of(browser, "title"))
    press("e")
    area = browser.find_element("id", "text")
    until(lambda: area.is_displayed())
    assert area.get_property("value") == TEXT
    # the caret is at the start: down one line, over "three ", and five letters are replaced
    press(Keys.ARROW_DOWN, Keys.HOME, *[Keys.ARROW_RIGHT] * 6, *[Keys.DELETE] * 5, "right")
    ActionChains(browser).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(
        Keys.CONTROL
    ).perform()
    until(lambda: "went on" in text_of(browser, "status"))
    assert text_of(browser, "after") == "<think> one two\nthree right" + WENT_ON
    assert browser.find_element("css selector", "#after .new").text == "right"
    assert browser.find_element("css selector", "#before .old").text == "wrong"
    assert [r["completion"] for r in load(session.output)] == [text_of(browser, "after")]
    press("u")
    until(lambda: "undone" in text_of(browser, "status"))
    assert session.state(session.find("aa", 0)).text == TEXT
    bad = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert bad == []  # nothing that the policy of contents refused, and no error


@pytest.mark.slow
def test_a_known_edit_is_taken_by_the_keyboard_and_stored_only_by_the_person(served, browser):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    session, url = served
    of = session.find("aa", 0)
    why = "<img src=x onerror=alert(1)>"
    session.store(of, session.state(of).digest, difference(TEXT, MENDED), why)
    name = session.state(of).levels[0].edit["edit"]
    browser.get(url)
    until(lambda: "sample 0" in text_of(browser, "title"))
    assert not browser.find_element("id", "known").is_displayed()  # it stands here
    ActionChains(browser).send_keys("jj").perform()
    until(lambda: "bb" in text_of(browser, "title"))
    [offer] = browser.find_elements("css selector", "#offers li")
    assert f"'wrong' -> 'right' ({why})" in offer.text and f"{name} · similar 1.00" in offer.text
    assert not browser.find_elements("css selector", "#offers img")
    area = browser.find_element("id", "text")

    def alt(key):
        ActionChains(browser).key_down(Keys.ALT).send_keys(key).key_up(Keys.ALT).perform()

    alt("1")
    until(lambda: "nothing is stored yet" in text_of(browser, "status"))
    assert area.get_property("value") == MENDED
    assert [e["kind"] for e in session.journal.read()] == ["edit"]
    alt("1")  # a second time there is nothing to replace
    until(lambda: "does not fit" in text_of(browser, "status"))
    assert area.get_property("value") == MENDED
    # the text is left, and its button is reached by Tab from the text
    browser.refresh()
    until(lambda: "sample 0" in text_of(browser, "title"))
    ActionChains(browser).send_keys("jj").perform()
    until(lambda: "bb" in text_of(browser, "title"))
    ActionChains(browser).send_keys("e").perform()
    until(lambda: "is back" in text_of(browser, "status"))
    ActionChains(browser).send_keys(Keys.TAB).perform()
    focused = "return document.activeElement.closest('#offers') !== null"
    assert browser.execute_script(focused)
    browser.find_element("id", "text").click()
    ActionChains(browser).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(
        Keys.CONTROL
    ).perform()
    until(lambda: "went on" in text_of(browser, "status"))
    [made] = load(session.output)
    assert made["id"] == "bb" and made["generation"]["edited"]["from"] == name
    assert f"taken from {name}" in text_of(browser, "history")
    bad = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert bad == []


@pytest.mark.slow
def test_a_text_that_is_not_stored_is_back_after_the_page_was_loaded_again(served, browser):
    from selenium.webdriver.common.action_chains import ActionChains

    session, url = served
    browser.get(url)
    until(lambda: "sample 0" in text_of(browser, "title"))
    ActionChains(browser).send_keys("e").perform()
    until(lambda: browser.find_element("id", "text").is_displayed())
    ActionChains(browser).send_keys("mine ").perform()
    browser.refresh()
    until(lambda: "sample 0" in text_of(browser, "title"))
    ActionChains(browser).send_keys("e").perform()
    until(lambda: "is back" in text_of(browser, "status"))
    assert browser.find_element("id", "text").get_property("value") == "mine " + TEXT
    # meanwhile somebody else edits it: refused, and the text stays
    of = session.find("aa", 0)
    session.store(of, session.state(of).digest, difference(TEXT, MENDED))
    browser.find_element("id", "go").click()
    until(lambda: "changed meanwhile" in text_of(browser, "status"))
    assert browser.find_element("id", "text").get_property("value") == "mine " + TEXT


@pytest.mark.slow
def test_another_page_in_the_same_browser_can_neither_post_nor_read_nor_frame(served, browser):
    session, url = served
    browser.get("data:text/html,<title>evil</title>")
    script = """
        const [url, body, done] = arguments;
        const tries = [
          fetch(url + "api/records/0/edit", {method: "POST", body,
            headers: {"Content-Type": "application/json"}}),
          fetch(url + "api/records/0/edit", {method: "POST", body, mode: "no-cors"}),
          fetch(url + "api/records"),
        ];
        Promise.allSettled(tries).then(async (all) => done(
          await Promise.all(all.map((t) => t.status === "fulfilled" ? t.value.type : "refused"))));
    """
    said = browser.execute_async_script(script, url, json.dumps(edited(session)))
    assert said[0] == "refused" and said[2] == "refused" and said[1] in ("opaque", "refused")
    assert session.journal.read() == []
