"""From a browser into the inbox and back: checked, sent, watched, and found again."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.acceptance.harness import orders, sheet
from tests.web.conftest import Live


def file_of(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def test_a_file_is_checked_then_sent_and_comes_out_with_its_note(
    live: Live, page: Page, tmp_path: Path, picture
) -> None:
    file = file_of(tmp_path, "monday.csv", orders(30, prefix="MON") + "MONX,DELIVERD\n")
    page.goto(f"{live.url}/drops")
    page.get_by_role("link", name="Upload files").click()
    page.get_by_label("Courier status files").set_input_files(file)
    expect(page.locator("#chosen")).to_contain_text("monday.csv")
    page.get_by_label("Your name").fill("Asha")
    page.get_by_label("Note").fill("from the <b>night</b> shift")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_role("heading", name="Check result: nothing has been sent")).to_be_visible()
    expect(page.get_by_text("30 will be sent")).to_be_visible()
    expect(page.get_by_text('Did you mean "Delivered"?')).to_be_visible()
    picture(page, "checked")
    assert not live.root.delivered()
    page.get_by_role("button", name="Send this file").click()
    expect(page.get_by_text("1 of 31 rows must be corrected.")).to_be_visible(timeout=30_000)
    page.get_by_role("link", name="monday.csv").click()
    expect(page.get_by_role("heading", name="monday.csv")).to_be_visible()
    expect(page.get_by_text("from the <b>night</b> shift")).to_be_visible()
    expect(page.get_by_text("Asha")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Results (CSV)").click()
    text = Path(download.value.path()).read_text("utf-8-sig")
    assert text.count(",accepted,") == 30
    assert download.value.suggested_filename.startswith("monday__d")


def test_several_files_at_once_each_become_a_drop(live: Live, page: Page, tmp_path: Path) -> None:
    files = [file_of(tmp_path, f"many{n}.csv", orders(3, prefix=f"MA{n}")) for n in range(3)]
    page.goto(live.url + "/upload")
    page.get_by_label("Courier status files").set_input_files(files)
    page.get_by_role("combobox").select_option("generic")
    page.get_by_role("button", name="Send without checking").click()
    expect(page.get_by_text("Done. 3 rows were sent")).to_have_count(3, timeout=30_000)
    assert live.root.delivered()[-1].place.name == "generic"


def test_dropped_onto_the_page_a_file_is_chosen(live: Live, page: Page) -> None:
    page.goto(live.url + "/upload")
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["Order ID,Status\\nDND1,Delivered\\n"], "dragged.csv"));
          const zone = document.querySelector(".zone");
          for (const kind of ["dragenter", "dragover", "drop"])
            zone.dispatchEvent(
              new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
        }"""
    )
    expect(page.locator("#chosen")).to_contain_text("dragged.csv")
    page.get_by_role("button", name="Send without checking").click()
    expect(page.get_by_text("Done. The row was sent.")).to_be_visible(timeout=30_000)


def test_without_javascript_the_plain_form_uploads_and_the_filters_filter(
    live: Live, browser: Browser, tmp_path: Path
) -> None:
    file = file_of(tmp_path, "plain.csv", orders(4, prefix="PLAIN"))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(live.url + "/upload")
    page.get_by_label("Courier status files").set_input_files(file)
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_text("4 will be sent")).to_be_visible()
    page.get_by_role("button", name="Send this file").click()
    live.drop_id("plain.csv")
    page.reload()
    expect(page.get_by_text("Done. 4 rows were sent")).to_be_visible()
    page.goto(f"{live.url}/drops")
    page.get_by_label("Search").fill("plain")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile("q=plain"))
    expect(page.locator("table.list tbody tr")).to_have_count(1)
    context.close()


@pytest.mark.console("422")
def test_a_name_that_the_inbox_would_leave_alone_is_refused_in_words(
    live: Live, page: Page, tmp_path: Path
) -> None:
    page.goto(live.url + "/upload")
    page.get_by_label("Courier status files").set_input_files(
        file_of(tmp_path, "half.csv.part", orders(1, prefix="HALF"))
    )
    page.get_by_role("button", name="Send without checking").click()
    expect(page.get_by_role("alert")).to_contain_text("would never be picked up")
    expect(page.get_by_role("heading", name="Upload files")).to_be_visible()


def test_too_many_files_are_told_of_before_they_are_sent(live: Live, page: Page) -> None:
    page.goto(live.url + "/upload")
    page.get_by_label("Note").fill("the whole week")
    files = page.get_by_label("Courier status files")
    some = [{"name": f"{n}.csv", "mimeType": "text/csv", "buffer": b"a,b"} for n in range(21)]
    files.set_input_files(some)
    page.get_by_role("button", name="Send without checking").click()
    said = files.evaluate("input => input.validationMessage")
    assert said == "21 files are chosen: at most 20 go together. Choose fewer."
    assert page.get_by_label("Note").input_value() == "the whole week"
    files.set_input_files(some[:20])
    assert files.evaluate("input => input.validity.valid")


HOSTILE = "<script>alert(1)</script>"


def test_hostile_names_and_cells_are_shown_as_text(live: Live, context: BrowserContext) -> None:
    page = context.new_page()
    name = f"..;<img src=x onerror=alert(1)>{chr(0x202E)}vsc.csv"
    cells = [
        f"HOST1,{HOSTILE}",
        "HOST2,\"=cmd|' /C calc'!A0\"",
        "HOST3,{{ 7*7 }}",
        "HOST4,Delivered",
    ]
    with live.client() as client:
        made = client.post(
            "/api/v1/drops",
            files={"files": (name, sheet([]) + "\n".join(cells) + "\n")},
            data={"note": HOSTILE},
        )
    assert made.status_code == 202, made.text
    kept = made.json()["files"][0]["name"]
    drop = live.drop_id(kept)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    for path in (f"/drops/{drop}", f"/drops/{drop}/fix", "/", f"/uploads/{made.json()['upload']}"):
        page.goto(live.url + path)
        expect(page.get_by_text("onerror=alert(1)").first).to_be_visible()
        assert page.locator("main img, main script").count() == 0
    page.goto(f"{live.url}/drops/{drop}")
    expect(page.get_by_text(HOSTILE).first).to_be_visible()
    expect(page.get_by_text("{{ 7*7 }}").first).to_be_visible()
    assert chr(0x202E) not in page.content()


def test_a_path_in_a_name_stays_inside_the_inbox(live: Live) -> None:
    for name in ("../../../etc/passwd.csv", "..\\..\\boot.csv", "/abs/olute.csv", ".hidden.csv"):
        with live.client() as client:
            made = client.post("/api/v1/drops", files={"files": (name, orders(1, prefix="PATH"))})
        assert made.status_code == 202
        kept = made.json()["files"][0]["name"]
        assert "/" not in kept
        assert not kept.startswith(".")
        live.drop_id(kept)
    assert not list(live.root.path.parent.glob("*.csv"))
