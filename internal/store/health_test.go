package store_test

import (
	"strings"
	"testing"

	"hooktape/internal/event"
	"hooktape/internal/testutil/storetest"
)

// TestDeduplicationSettings verifies that Health reports a setting if and only if it makes a repeated insert store its
// rows again.
func TestDeduplicationSettings(t *testing.T) {
	t.Parallel()
	dsn := storetest.DSN(t)
	for settings, named := range map[string]string{
		"":                          "",
		"insert_deduplicate=0":      "", // the server's deduplicate_insert has precedence
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
			t.Errorf("with %q a repeated insert is stored %s times, want %s", settings, got, want)
		}
	}
}
