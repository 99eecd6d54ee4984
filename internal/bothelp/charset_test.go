package bothelp_test

import (
	"reflect"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
)

const replaced = "NUL, or what is no character, replaced by \uFFFD"

// TestWindows1251 verifies that Cyrillic text in windows-1251 is read if the header names the encoding, and if the text
// cannot be in another one.
func TestWindows1251(t *testing.T) {
	old := func(text string) string {
		text, err := charmap.Windows1251.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	escaped := func(text string) string {
		var b strings.Builder
		for _, c := range []byte(old(text)) {
			b.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[c>>4])+string("0123456789abcdef"[c&15])))
		}
		return b.String()
	}
	person := flow(func(d *event.Decoded) {
		d.Name, d.Fields = "Анна", fields{"Имя": "Аня", "Тел": "«ЁЖ» №5"}
	})
	json := `{"name":"Анна","Имя":"Аня","Тел":"«ЁЖ» №5"}`
	form := "name=" + escaped("Анна") + "&" + escaped("Имя") + "=" + escaped("Аня") + "&" + escaped("Тел") + "=" +
		escaped("«ЁЖ» №5")
	for _, c := range []struct {
		contentType, body string
		want              event.Decoded
	}{
		{"application/json; charset=windows-1251", old(json), person},
		{"application/json;charset=CP1251", old(json), person},
		{"application/json", old(json), person},
		{"application/json; charset=utf-8", old(json), person},
		{"", old(json), person},
		{"application/x-www-form-urlencoded; charset=windows-1251", form, person},
		{"application/x-www-form-urlencoded", form, person},
		{"application/x-www-form-urlencoded", "name=" + old("Анна") + "&" + old("Имя=Аня&Тел=«ЁЖ» №5"), person},
		{"application/json; charset=windows-1251", json, person}, // UTF-8
		{"application/json; charset=windows-1251", old(`{"name":"Я"}`), flow(func(d *event.Decoded) { d.Name = "Я" })},
		{"application/json", old(`{"name":"Я"}`), flow(func(d *event.Decoded) {
			d.Name, d.DecodeError = "\uFFFD", "name: "+replaced
		})},
		{"application/json; charset=koi8-r", old(`{"name":"Анна"}`), flow(func(d *event.Decoded) {
			d.Name, d.DecodeError = strings.Repeat("\uFFFD", 4), "name: "+replaced
		})},
		{"application/json", `{"name":"Анна Петрова` + "\xff\xfe\xfd" + `"}`, flow(func(d *event.Decoded) {
			d.Name, d.DecodeError = "Анна Петрова\uFFFD\uFFFD\uFFFD", "name: "+replaced
		})},
	} {
		got := bothelp.Decode(&event.Received{Headers: []event.Header{{Name: "Content-Type", Value: c.contentType}},
			Body: []byte(c.body)})
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s, %q: got %s, want %s", c.contentType, c.body, dump(got), dump(c.want))
		}
	}
}

// TestReplacedCharacters verifies that the error names the key in whose name or value characters were replaced.
func TestReplacedCharacters(t *testing.T) {
	for body, want := range map[string]string{
		`{"name":"a","email":"\ud83d"}`:       "email: " + replaced,
		`{"name":"a","x":"b\u0000c"}`:         "x: " + replaced,
		`{"name":"a","\ude00":"b"}`:           "\uFFFD: " + replaced,
		`{"name":"a","l":["` + "\xd0" + `"]}`: "l: " + replaced,
		`{"event":"conversation_closed","event_timestamp":1,"o":{"p":{"q":"\u0000"}}}`: "o.p.q: " + replaced,
		`{"name":"a","email":"b","x":"\ud83d\ude00"}`:                                  "",
		"name=a&x=%D0":  "x: " + replaced,
		"name=a&x=b%00": "x: " + replaced,
	} {
		if got := bothelp.Decode(&event.Received{Body: []byte(body)}).DecodeError; got != want {
			t.Errorf("%q: got error %q, want %q", body, got, want)
		}
	}
}
