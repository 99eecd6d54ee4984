package bothelp_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
)

// TestText verifies that a body in another encoding is converted to text, and that a body that is text already, or has
// an unknown encoding, is not.
func TestText(t *testing.T) {
	old := func(text string) string {
		text, err := charmap.Windows1251.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	wide := func(order unicode.Endianness, text string) string {
		text, err := unicode.UTF16(order, unicode.UseBOM).NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	json := `{"name":"Анна \u0410","x":"%C0%ED%ED%E0"}`
	zipped := string(compress(t, []byte(json)))
	for _, c := range []struct{ coding, contentType, body, want string }{
		{"", "", "", ""},
		{"", "application/json", json, ""},
		{"", "application/json", "\ufeff" + json, ""},
		{"", "", "name=%D0%90%D0%BD%D0%BD%D0%B0", ""},
		{"", "", "\xff\x00binary \xd0 Щ", ""},
		{"", "text/plain; charset=koi8-r", old("Анна"), ""},
		{"gzip", "application/json", json, ""},
		{"br", "application/json", json, ""},
		{"gzip", "", zipped[:10], ""},
		{"gzip", "application/json", zipped, json},
		{"x-gzip", "", zipped[:len(zipped)-4], json},
		{"gzip", "", string(compress(t, []byte(old(json)))), json},
		{"", "application/json", old(json), json},
		{"", "text/plain; charset=windows-1251", old("Я"), "Я"},
		{"", "application/x-www-form-urlencoded", "name=%C0%ED%ed%e0+%2B%25&Имя=x", ""}, // two encodings
		{"", "application/x-www-form-urlencoded", "name=%C0%ED%ed%e0+%2B%25&x=" + old("Аня"), "name=Анна+%2B%25&x=Аня"},
		{"", "", "POST /?name=%C0%ED%ED%E0 HTTP/1.1\r\nHost: h\r\n\r\n",
			"POST /?name=Анна HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"", "", wide(unicode.LittleEndian, json), json},
		{"gzip", "", string(compress(t, []byte(wide(unicode.BigEndian, json)))), json},
		{"", "", "\xff\xfeA\x00\x00\xd8B", "A\uFFFD\uFFFD"},
	} {
		req := encoded(c.coding, []byte(c.body))
		req.Headers = append(req.Headers, event.Header{Name: "Content-Type", Value: c.contentType})
		if got := bothelp.Text(req); got != c.want {
			t.Errorf("%q, %q: the text of %q is %q, want %q", c.coding, c.contentType, c.body, got, c.want)
		}
	}
}

// TestTextIsBounded verifies that no body results in more than 64 KiB of text, however it is compressed.
func TestTextIsBounded(t *testing.T) {
	bomb := encoded("gzip", compress(t, []byte(strings.Repeat("x", 16<<20))))
	old := strings.Repeat("\xc0", 100_000)
	long := encoded("gzip", compress(t, []byte("x"+strings.Repeat("Я", 100_000))))
	long.Headers = append(long.Headers, event.Header{Name: "Content-Type", Value: "text/plain; charset=windows-1251"})
	for name, req := range map[string]*event.Received{
		"bomb":         bomb,
		"UTF-8":        long,
		"windows-1251": {Body: []byte(old)},
		"invalid":      encoded("gzip", compress(t, []byte("x"+strings.Repeat("\xff ", 1<<20)))),
		"odd":          {Body: []byte("\xff\xfe" + strings.Repeat("\x04", 100_001))},
	} {
		text := bothelp.Text(req)
		if name == "UTF-8" && strings.Trim(text, "xЯ") != "" {
			t.Errorf("UTF-8 was read as windows-1251: %.20q", text)
		}
		if len(text) > 64<<10 || len(text) < 64<<10-3 || !utf8.ValidString(text) {
			t.Errorf("%s: %d bytes, valid: %v", name, len(text), utf8.ValidString(text))
		}
	}
	if got := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			bothelp.Text(bomb)
		}
	}).AllocedBytesPerOp(); got > 1<<20 {
		t.Errorf("a decompression bomb of 16 MiB uses %d bytes of memory", got)
	}
}
