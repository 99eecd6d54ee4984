package bothelp_test

import (
	"fmt"
	"strings"
	"testing"

	"hooktape/internal/bothelp"
)

// TestKeyPath verifies reading values of one answer by their paths.
func TestKeyPath(t *testing.T) {
	document := []byte(` {"price":"6","price" : "7","offer":{"price": null},"items":[ {"id":1} ,[2,3]],"":{"x":4},` +
		`"a b":5,"\u0061\n":8,"bad":"` + "\xff" + `"} `)
	for path, want := range map[string]string{"price": `"7" true`, "$.price": `"7" true`, "offer.price": "null true",
		"items[0].id": "1 true", "items[1][1]": "3 true", "$.items[0].id": "1 true", "a b": "5 true", "a\n": "8 true",
		"bad": "\"\xff\" true", "offer": `{"price": null} true`, "paid": " false", "price.x": " false",
		"items[2]": " false", "items.id": " false", "price[0]": " false", "offer.price.x": " false", "": "invalid",
		"$": "invalid", "a..b": "invalid", "a.": "invalid", "a[": "invalid", "a[x]": "invalid", "a[-1]": "invalid",
		"a[0]b": "invalid", "a[0": "invalid", "..price": "invalid", "a[]": "invalid"} {
		got := "invalid"
		if p, err := bothelp.ParseKeyPath(path); err == nil {
			value, ok := p.In(document)
			got = fmt.Sprint(string(value), " ", ok)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
	for _, text := range []string{"", "{", `{"price":"1"} x`, `{"price":1}{}`, `{"price":1,}`, "[1]", "\ufeff{\"price\":1}"} {
		if value, ok := (bothelp.KeyPath{"price"}).In([]byte(text)); ok {
			t.Errorf("%q has %q", text, value)
		}
	}
}

// TestMissingKeysInPlace verifies that the search in a text allocates nothing for the members that it passes.
func TestMissingKeysInPlace(t *testing.T) {
	text := []byte(`{"price":"7",` + strings.Repeat(`"":0,"a":{"b":[1]},`, 50<<10) + `"paid":"no"}`)
	var missing []string
	allocations := testing.AllocsPerRun(1, func() {
		missing = bothelp.MissingKeys([]string{"price", "paid", "a.b[1]"}, text)
	})
	if fmt.Sprint(missing) != "[a.b[1]]" || allocations > 100 {
		t.Errorf("missing: %q, after %.0f allocations", missing, allocations)
	}
}
