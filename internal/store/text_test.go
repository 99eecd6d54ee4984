package store_test

import (
	"bytes"
	"compress/gzip"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/encoding/charmap"
	utf16 "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/unicode/norm"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
	"hooktape/internal/store"
)

// requested returns the event of a request with this body, as the drain stores it.
func requested(n int, body string, headers ...event.Header) event.Event {
	e := eventAt(dawn.Add(time.Duration(n)*time.Second), n)
	e.Body, e.Headers = []byte(body), headers
	bothelp.Read(&e, "")
	return e
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return b.String()
}

// TestText verifies that people are found by any field, whatever the spelling of BotHelp, of themselves or of the
// searcher.
func TestText(t *testing.T) {
	d := newDB(t)
	form := event.Header{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}
	events := []event.Event{
		requested(0,
			`{"bothelp_user_id":47659,"name":"Анна Петрова","phone":"+79161234567","profile_link":"https:\/\/t.me\/anna_p","email":"Anna@Example.org","utm_source":"vk\u0026co"}`),
		requested(1,
			`{"bothelp_user_id":2,"name":"\u0410\u043d\u043d\u0430 \u0421\u0435\u0440\u0433\u0435\u0435\u0432\u043d\u0430","\u0422\u0435\u043b":"8 (926) 765\u201343\u201321"}`),
		requested(2,
			"bothelp_user_id=3&name=%d0%9f%d1%91%d1%82%d1%80+%d0%a4%d1%91%d0%b4%d0%be%d1%80%d0%be%d0%b2&email=a%2Bx%40b.c&company=%D0%9E%D0%9E%D0%9E+%22%D0%A0%D0%BE%D0%BC%D0%B0%D1%88%D0%BA%D0%B0%22", form),
		requested(3,
			gzipped(`{"bothelp_user_id":4,"name":"Андрей Й\u00a0Сжатый","Комментарий":"перезвонить  после\tобеда"}`),
			event.Header{Name: "Content-Encoding", Value: "gzip"}),
		requested(4, `{"bothelp_user_id":5,"name":"Андреи`+"\u0306"+` И`+"\u0306"+`","city":"ＭＯＳＫＶＡ 🦊❤️"}`),
		// truncated
		requested(5,
			`{"bothelp_user_id":6,"name":"\u041e\u043b\u044c\u0433\u0430","last_name":"\u0411\u0435\u043b\u043e\u0432\u0430 \"\u0421\u043e\u043b\u043d\u044b\u0448\u043a\u043e\"","phone":"+7 916 000-11-22","x":{"link":"https:\/\/vk.com\/o`),
		requested(6, "позвоните Ивану: +7 (495) 111-22-33"),
		requested(7, "\xff\x00binary \xd0 Щ"),
	}
	rejected := requested(8,
		`{"name":"\u0417\u043e\u044f \ud83e\udd8a","link":"https:\/\/t.me\/zoya","note":"a\\b \"c\" 100%25+1","phone":"8-903-555-66-77"}`)
	rejected.Verdict, rejected.Decoded = event.BadToken, event.Decoded{Kind: event.KindUnknown}
	rejectedForm := requested(9, "name=%D0%97%D0%BE%D1%8F+%D0%92%D1%82%D0%BE%D1%80%D0%B0%D1%8F", form)
	rejectedForm.Verdict = event.UnknownSource
	rejectedForm.Decoded = event.Decoded{Kind: event.KindUnknown}
	rejectedForm.Path = "/hooks/Typo/***"
	byQuery := requested(10, `{"bothelp_user_id":7}`)
	byQuery.Query, byQuery.Step = "name=%d0%9a%d0%bb%d0%b0%d0%b2%d0%b0+%D0%9A", "Оплата Курса"
	d.insert(t, append(events, rejected, rejectedForm, byQuery)...)

	for text, want := range map[string][]int{
		"анна петрова": {0}, "Петрова Анна": {0}, "ПЕТРОВА": {0}, "петрова, анна": {0}, "анна": {0, 1},
		"петрова сергеевна": nil, `"анна петрова"`: {0}, `"петрова анна"`: nil,
		"нна серг": {1}, `"анна" сергеевна`: {1}, "«Анна» (сергеевна)": {1},
		"https://t.me/anna_p": {0}, `https:\/\/t.me\/anna_p`: {0}, "t.me/": {0, 8}, "anna@example.ORG": {0},
		"vk&co": {0}, `vk\u0026co`: {0}, "47659": {0}, "+7 916 123-45-67": {0}, "8 (916) 1234567": {0},
		"89161234567": {0}, "9161234567": {0}, "123-45-67": {0}, "+7 (916) 123–45–67 анна": {0}, "47659 анна": {0},
		"47659 79161234567": {0}, "+7 926 765-43-21": {1}, "79267654321": {1}, "765 43 21": {1}, "тел": {1},
		"89267654320":  nil,
		"петр федоров": {2}, "Пётр Фёдоров": {2}, "a+x@b.c": {2}, `ООО "Ромашка"`: {2}, "ромашка ооо": {2},
		`"ООО ""Ромашка"`: {2}, `company`: {2}, "«ромашка»": {2},
		"андрей": {3, 4}, "АНДРЕИ" + "\u0306": {3, 4}, "й сжатый": {3}, `"после обеда"`: {3},
		"\"после\u00a0обеда\"": {3}, "moskva": {4}, "🦊": {4, 8}, "❤": {4}, "a❤": nil, "ольга белова": {5},
		"солнышко": {5}, "vk.com/o": {5}, "79160001122": {5}, "ольга солнышко vk.com": {5}, "иван 4951112233": {6},
		"+7 495 111 22 33": {6}, "щ": {7}, "binary": {7}, "\x00binary": {7}, "зоя": {8, 9}, "зоя t.me/zoya": {8},
		"89035556677": {8}, "зоя вторая": {9}, "typo": {9},
		"клава": {10}, "оплата": {10}, `"оплата курса" клава`: {10},
		`"`: nil, `""`: nil, " ": nil, "\u200b": nil, "\u00ad\ufe0f": nil, "...": nil, `"."`: {0, 2, 5, 8}, "%": nil,
		"{": nil, `\`: nil,
	} {
		if got := d.listed(t, event.Selection{Text: text}); !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", text, got, want)
		}
	}
	if got := d.found(t, event.Selection{Text: "анна петрова", Where: "length(body) > 0"}); !slices.Equal(got,
		[]int{0}) {
		t.Errorf("with an expression it finds %v", got)
	}
	if list, err := d.ListEvents(background, event.Selection{Text: "анна", Where: "('анна' AS search_text) != ''"},
		store.Page{Limit: 100}); err == nil {
		t.Errorf("an expression changed the result of a text search: %v", numbers(list))
	}
}

// TestTextOfEncodedRequests verifies that rejected or partly unreadable events are found by their text in each
// encoding, and that the text of other events is not stored a second time.
func TestTextOfEncodedRequests(t *testing.T) {
	d := newDB(t)
	wide, err := utf16.UTF16(utf16.LittleEndian,
		utf16.UseBOM).NewEncoder().String(`{"name":"\u041c\u0430\u0439\u044f Широкая"}`)
	if err != nil {
		t.Fatal(err)
	}
	old, err := charmap.Windows1251.NewEncoder().String(`{"name":"Вера Старая","link":"https:\/\/t.me\/vera"}`)
	if err != nil {
		t.Fatal(err)
	}
	packed := event.Header{Name: "Content-Encoding", Value: "gzip"}
	form := event.Header{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}
	rejected := func(n int, verdict event.Verdict, body string, headers ...event.Header) event.Event {
		e := requested(n, body, headers...)
		e.Verdict = verdict
		bothelp.Read(&e, "")
		return e
	}
	d.insert(t,
		rejected(0, event.BadToken, gzipped(`{"name":"\u0417\u043e\u044f","phone":"8-903-555-66-77"}`), packed),
		rejected(1, event.BadSignature, old),
		rejected(2, event.UnknownSource, "name=%C2%E5%F0%E0+%D4%EE%F0%EC%E0&mail=a%2Bx%40b.c", form),
		rejected(3, event.MethodNotAllowed, wide),
		rejected(4, event.Malformed, "POST /hooks/demo/***/%D0%AF HTTP/1.1\r\nBad Name: 1\r\n\r\n"+
			`{"name":"\u0413\u043b\u0435\u0431 \ud83e\udd8a","link":"https:\/\/t.me\/gleb"}`),
		rejected(5, event.BadToken, "\ufeff"+`{"name":"\u041e\u043b\u044c\u0433\u0430 +7%41"}`),
		rejected(6, event.BadToken, `"{\"name\":\"\\u0418\\u0440\\u0430\"}"`),
		rejected(7, event.BadToken, `C:\users\new \\server\unit \`),
		rejected(8, event.BadToken, `{"path":"C:\users\new","x":"\ud83d \u042f\u043d\u0430`),
		rejected(9, event.BadToken, gzipped(strings.Repeat("бомба ", 1<<20)), packed),
		requested(10, gzipped(`{"name":"Рита","x":"\ud83d","city":"\u041e\u043c\u0441\u043a`), packed), // truncated
		requested(11, wide),
		requested(12, gzipped(`{"bothelp_user_id":1,"name":"Лена"}`), packed),
		requested(13, `{"bothelp_user_id":1,"name":"Лена `+"\xc0\xed\xed\xe0"+`"}`,
			event.Header{Name: "Content-Type", Value: "application/json"}),
		requested(14, `{"bothelp_user_id":1,"name":"`+"\xcb\xe5\xed\xe0"+`"}`),
	)
	for text, want := range map[string][]int{
		"зоя": {0}, "+7 903 555-66-77": {0}, "вера старая": {1}, "https://t.me/vera": {1}, "вера": {1, 2},
		"форма вера a+x@b.c": {2}, "майя широкая": {3, 11},
		"глеб t.me/gleb": {4}, "🦊": {4}, `"***/я http"`: {4}, "ольга": {5}, "+7%41": {5}, "ира": {6},
		`C:\users\new`: {7}, `\\server\unit`: {7}, `users`: {7, 8}, "яна": {8}, "бомба": {9}, "рита омск": {10},
		"лена": {12, 13, 14},
	} {
		if got := d.listed(t, event.Selection{Text: text}); !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", text, got, want)
		}
	}
	numbered := "(SELECT dateDiff('second', min(received_at) OVER (), received_at) AS n, body_text FROM events)"
	if got := d.text(t, "SELECT toString(arraySort(groupArray(n))) FROM "+numbered+
		" WHERE body_text != ''"); got != "[0,1,2,3,9,10,11]" {
		t.Errorf("events %s have a stored text besides the body", got)
	}
	if got := d.text(t, "SELECT toString(max(length(body_text))) FROM events"); got != "65535" {
		t.Errorf("the longest text has %s bytes", got)
	}
}

// TestTextOfLongRequests verifies that a column has at most 64 KiB of a request, also if normalization lengthens it,
// and that ClickHouse stores every request.
func TestTextOfLongRequests(t *testing.T) {
	d := newDB(t)
	long := strings.Repeat("ﷺ", 300_000)
	e := requested(1, `{"bothelp_user_id":1,"name":"first","a":"`+long[:60_000]+`"}`)
	rejected := requested(2, "first"+long+"last")
	rejected.Verdict, rejected.Decoded = event.TooLarge, event.Decoded{}
	odd := requested(3, "")
	odd.Name = "\xff\xd0\x00"
	odd.Fields = map[string]string{"\xed\xa0\x80": "\xf4\x90\x80\x80 \xc0\x80"}
	odd.UTMTerm = "\xe2\x80"
	d.insert(t, e, rejected, odd)
	for text, want := range map[string][]int{"first": {1, 2}, "last": nil, "صلى": {1, 2}, "\xff": {2, 3},
		"\ufffd": {2, 3}} {
		if got := d.listed(t, event.Selection{Text: text}); !slices.Equal(got, want) {
			t.Errorf("%.10q finds %v, want %v", text, got, want)
		}
	}
	if got := d.text(t,
		"SELECT toString(max(length(search_text)) > 65536 AND max(length(search_text)) < 262144 * 12 AND "+
			"max(length(search_body)) < 65536 * 12) FROM events"); got != "1" {
		t.Errorf("unexpected column sizes: %s", got)
	}
}

// normalized implements Normalized with Go's libraries.
func normalized(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	fold := cases.Fold()
	for range 2 { // NFKC may produce letters to fold
		text = norm.NFKC.String(fold.String(norm.NFKC.String(strings.Map(func(r rune) rune {
			if unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
				strings.ContainsRune("\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", r) {
				return -1
			}
			return r
		}, text))))
	}
	space := func(r rune) bool { return strings.ContainsRune(" \t\r\n\f", r) }
	return strings.Join(strings.FieldsFunc(strings.ReplaceAll(text, "ё", "е"), space), " ")
}

// TestNormalized compares ClickHouse's result with Go's, for every letter, number, symbol and space of the scripts of
// BotHelp's customers, and for texts of awkward characters.
func TestNormalized(t *testing.T) {
	d := newDB(t)
	var texts []string
	for r := rune(0); r < 0x530; r++ {
		texts = append(texts, "<"+string(r)+">", string(r)+"А")
	}
	for _, runes := range [][2]rune{{0x1c80, 0x1c88}, {0x1e00, 0x2200}, {0x2de0, 0x2dff}, {0x3000, 0x3100},
		{0xa640, 0xa69f}, {0xfb00, 0xfb10}, {0xff00, 0xffef}, {0x1f300, 0x1f650}} {
		for r := runes[0]; r <= runes[1]; r++ {
			// invisible, see below
			if r != 0x2065 && (r < 0x206a || r > 0x206f) && (r < 0x202a || r > 0x202e) && (r < 0x2061 || r > 0x2064) &&
				(r < 0x2066 || r > 0x2069) {
				texts = append(texts, "<"+string(r)+">")
			}
		}
	}
	chance := rand.New(rand.NewPCG(1, 2))
	letters := []string{"a", "B", "Я", "ё", "Ё", "Е\u0308", "й", "И", "\u0306", "ß", "Σ", "ς", "İ", "ı", "ﬁ", "Ａ", "①",
		"½", "\u00a0", "\u200b", "\u00ad", "\u2003", "\t", "\n", " ", "  ", "\x00", "\xff", "\xd0", "\xed\xa0\x80", "🦊",
		"❤\ufe0f", "👩\u200d💻", "%", "'", `\`}
	for range 4000 {
		var b strings.Builder
		for range chance.IntN(30) {
			b.WriteString(letters[chance.IntN(len(letters))])
		}
		texts = append(texts, b.String())
	}
	var got []string
	if err := d.conn.QueryRow(background, "SELECT groupArray(n) FROM (SELECT "+store.Normalized("t")+
		" AS n FROM (SELECT arrayJoin({texts:Array(String)}) AS t))", named("texts", texts)).Scan(&got); err != nil {
		t.Fatal(err)
	}
	differ := 0
	for i, text := range texts {
		if want := normalized(text); i >= len(got) || got[i] != want {
			if differ++; differ <= 10 {
				t.Errorf("%+q becomes %+q, want %+q", text, got[i], want)
			}
		}
	}
	if differ > 0 {
		t.Errorf("%d of %d texts differ", differ, len(texts))
	}
}

// TestEmptySearch verifies that a text without words matches no event, whatever runes it has; it never matches all
// events.
func TestEmptySearch(t *testing.T) {
	d := newDB(t)
	var empty []string
	if err := d.conn.QueryRow(background, `SELECT groupArray(r) FROM (SELECT multiIf(n < 0x80, char(n), n < 0x800, char(0xc0 + intDiv(n, 64), 0x80 + n % 64),
		n < 0x10000, char(0xe0 + intDiv(n, 4096), 0x80 + intDiv(n, 64) % 64, 0x80 + n % 64),
		char(0xf0 + intDiv(n, 262144), 0x80 + intDiv(n, 4096) % 64, 0x80 + intDiv(n, 64) % 64, 0x80 + n % 64)) AS r
		FROM (SELECT number AS n FROM numbers(0x110000))) WHERE `+store.Normalized("r")+" = ''").Scan(&empty); err != nil {
		t.Fatal(err)
	}
	if len(empty) < 300 || !slices.Contains(empty, "\u200b") {
		t.Fatalf("only %d runes normalize to nothing", len(empty))
	}
	for _, text := range empty {
		if terms := store.TextTerms(text); terms != nil {
			t.Errorf("%+q normalizes to nothing, but searches for: %s", text, terms)
		}
	}
}

// TestMigrationsNormalize verifies that the columns and the dashboards use the same normalization as the filters.
func TestMigrationsNormalize(t *testing.T) {
	before, after, _ := strings.Cut(store.Normalized("|"), "|")
	for file, want := range map[string]int{"migrations/00041_events_search.sql": 2,
		"../../dashboards/sql/conversion/spellings.sql": 1, "../../dashboards/sql/variables/subscribers.sql": 2} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(text), before) != want || strings.Count(string(text), after) < want {
			t.Errorf("%s does not contain %d times %s", file, want, store.Normalized("…"))
		}
	}
}

// TestTextIsFoundAsGoFindsIt compares the search with strings.Contains, for texts of a few different letters, which
// nearly match everywhere.
func TestTextIsFoundAsGoFindsIt(t *testing.T) {
	d := newDB(t)
	chance := rand.New(rand.NewPCG(1, 2))
	letters := []string{"a", "b", "A", "\x00", " ", "'", "\xd0", "\x90", "\xff", "А", "Ё", "е", "🦊", "%", `_`}
	text := func(most int) string {
		var b strings.Builder
		for range chance.IntN(most + 1) {
			b.WriteString(letters[chance.IntN(len(letters))])
		}
		return b.String()
	}
	var values []string
	var events []event.Event
	for i := range 200 {
		values = append(values, text(300))
		e := eventAt(dawn.Add(time.Duration(i)*time.Second), i)
		e.Name = values[i]
		events = append(events, e)
	}
	d.insert(t, events...)
	for range 60 {
		wanted := text(3)
		// part of a value, of any length
		if value := values[chance.IntN(len(values))]; chance.IntN(3) == 0 && value != "" {
			from := chance.IntN(len(value))
			wanted = value[from : from+1+chance.IntN(len(value)-from)]
		}
		if normalized(wanted) == "" {
			continue
		}
		var want []int
		for i, value := range values {
			if strings.Contains(normalized(value), normalized(wanted)) {
				want = append(want, i)
			}
		}
		if got := d.listed(t, event.Selection{Text: `"` + wanted + `"`}); !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", wanted, got, want)
		}
	}
}
