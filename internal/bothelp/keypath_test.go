package bothelp_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"hooktape/internal/bothelp"
)

// TestKeyPath verifies reading values of one answer by their paths.
func TestKeyPath(t *testing.T) {
	var document any
	if err := json.Unmarshal([]byte(`{"price":"7","offer":{"price":null},"items":[{"id":1},[2,3]],"":{"x":4},"a b":5}`),
		&document); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"price": "7 true", "$.price": "7 true", "offer.price": "<nil> true",
		"items[0].id": "1 true", "items[1][1]": "3 true", "$.items[0].id": "1 true", "a b": "5 true",
		"offer": "map[price:<nil>] true", "paid": "<nil> false", "price.x": "<nil> false", "items[2]": "<nil> false",
		"items.id": "<nil> false", "price[0]": "<nil> false", "offer.price.x": "<nil> false", "": "invalid",
		"$": "invalid", "a..b": "invalid", "a.": "invalid", "a[": "invalid", "a[x]": "invalid", "a[-1]": "invalid",
		"a[0]b": "invalid", "a[0": "invalid", "..price": "invalid", "a[]": "invalid"} {
		got := "invalid"
		if p, err := bothelp.ParseKeyPath(path); err == nil {
			value, ok := p.Value(document)
			got = fmt.Sprint(value, " ", ok)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
	if value, ok := (bothelp.KeyPath{"price"}).Value(nil); ok {
		t.Errorf("a missing document returned %v", value)
	}
}
