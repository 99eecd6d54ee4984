package config

import (
	"reflect"
	"strings"
	"testing"

	"hooktape/internal/store"
)

func TestRetentionConfig(t *testing.T) {
	const source = "sources:\n  - name: shop\n    token: " + someToken + "\n"
	c, err := Parse("f.yaml",
		[]byte("retention: {events: 730d, bodies: '180d'}\n"+source+"    retention: {events: forever, bodies: 30d}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := store.Retention{Events: 730, Bodies: 180, Rejected: 30, Attempts: store.Forever, Traces: store.Forever,
		Sources: map[string]store.SourceRetention{"shop": {Events: store.Forever, Bodies: 30}}}
	if got := c.StoreRetention(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, wrong := range []string{"0d", "90", "1.5d", "-3d", "20000d", "2y", "never", "''"} {
		_, err := Parse("f.yaml", []byte("retention:\n  traces: "+wrong+"\n"+source))
		if err == nil || !strings.Contains(err.Error(), "is no number of days from 1d to 18250d, nor forever") ||
			!strings.Contains(err.Error(), "f.yaml:2: retention.traces: ") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
