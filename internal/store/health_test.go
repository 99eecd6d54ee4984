package store_test

import (
	"strings"
	"testing"

	"hooktape/internal/event"
	"hooktape/internal/testutil/storetest"
)

// TestDeduplicationSettings: Health names a setting when, and only when, an insert that is sent again would be stored again.
func TestDeduplicationSettings(t *testing.T) {
	t.Parallel()
	dsn := storetest.DSN(t)
	for settings, named := range map[string]string{
		"":                          "",
		"insert_deduplicate=0":      "", // the server's deduplicate_insert comes before it
		"deduplicate_insert=enable": "",
		"deduplicate_insert=backward_compatible_choice":                      "",
		"deduplicate_insert=backward_compatible_choice&insert_deduplicate=0": "insert_deduplicate=0",
		"deduplicate_insert=disable":                                         "deduplicate_insert=disable",
	} {
		d := open(t, dsn+"?"+settings)
		h, err := d.Health(background)
		if err != nil || strings.Join(h.Settings, " ") != named {
			t.Errorf("with %q: %q, %v, want %q", settings, h.Settings, err, named)
		}
		want := "1"
		if named != "" {
			want = "2"
		}
		d.exec(t, "TRUNCATE TABLE events")
		for range 2 {
			if err := d.InsertEvents(background, "token "+settings, []event.Event{eventAt(dawn, 1)}); err != nil {
				t.Fatal(err)
			}
		}
		if got := d.text(t, "SELECT toString(count()) FROM events"); got != want {
			t.Errorf("with %q an insert that is sent twice is stored %s times, want %s", settings, got, want)
		}
	}
}
