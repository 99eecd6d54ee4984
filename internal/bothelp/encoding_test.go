package bothelp_test

import (
	"bytes"
	"compress/gzip"
	"reflect"
	"strings"
	"testing"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
)

func compress(t testing.TB, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func encoded(coding string, body []byte) *event.Received {
	return &event.Received{Headers: []event.Header{{Name: "content-encoding", Value: coding}}, Body: body}
}

func TestContentEncoding(t *testing.T) {
	body := fixture(t, "flow.json")
	want := bothelp.Decode(&event.Received{Body: body})
	for _, coding := range []string{"gzip", "X-GZip"} {
		t.Run(coding, func(t *testing.T) {
			if got := bothelp.Decode(encoded(coding, compress(t, body))); !reflect.DeepEqual(got, want) {
				t.Errorf("got %s", dump(got))
			}

			plain := bothelp.Decode(encoded(coding, body))
			if want := "body: not " + strings.ToLower(coding) +
				", as its Content-Encoding says"; plain.DecodeError != want {
				t.Errorf("plain body: %q", plain.DecodeError)
			}
			if plain.BothelpUserID != "47659" {
				t.Errorf("plain body: %s", dump(plain))
			}

			// Zeros shrink to a thousandth. The name before them must be read.
			bomb := []byte(`{"name":"a","x":"` + strings.Repeat("0", 2<<20) + `"}`)
			got := bothelp.Decode(encoded(coding, compress(t, bomb)))
			if !strings.HasPrefix(got.DecodeError, "body: longer than ") || got.Name != "a" {
				t.Errorf("bomb: %q, name %q", got.DecodeError, got.Name)
			}
		})
	}
}

func TestContentEncodingDamaged(t *testing.T) {
	body := fixture(t, "flow.json")
	whole := bothelp.Decode(&event.Received{Body: body})
	zipped := compress(t, body)

	got := bothelp.Decode(encoded("gzip", zipped[:len(zipped)-100]))
	if got.Name != whole.Name || !strings.HasPrefix(got.DecodeError, "body: its gzip is damaged after ") {
		t.Errorf("cut: name %q, error %q", got.Name, got.DecodeError)
	}
	got = bothelp.Decode(encoded("identity", body))
	if !reflect.DeepEqual(got, whole) {
		t.Errorf("identity: %s", dump(got))
	}
	for _, coding := range []string{"lzma", "gzip, br", "br", "zstd", "deflate", "ро\xfft\n"} {
		got := bothelp.Decode(encoded(coding, body))
		if got.Name != whole.Name || !strings.HasPrefix(got.DecodeError, "body: unsupported Content-Encoding ") {
			t.Errorf("%q: %q", coding, got.DecodeError)
		}
	}
	twice := encoded("gzip", zipped)
	twice.Headers = append(twice.Headers, event.Header{Name: "Content-Encoding", Value: "br"})
	if got := bothelp.Decode(twice); got.DecodeError != "body: unsupported Content-Encoding gzip, br: only gzip is "+
		"decoded" {
		t.Errorf("two headers: %q", got.DecodeError)
	}
	if got := bothelp.Decode(encoded("gzip", nil)); got.DecodeError != "body: empty" {
		t.Errorf("nothing: %q", got.DecodeError)
	}
}
