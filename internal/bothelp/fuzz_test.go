package bothelp_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
)

// FuzzDecode verifies the guarantees of doc.go for every body and header.
func FuzzDecode(f *testing.F) {
	for _, path := range fixtures(f) {
		f.Add(fixture(f, strings.TrimPrefix(path, "testdata/")), "application/ json", "")
	}
	for _, body := range []string{
		"", "\xef\xbb\xbf{}", `[{"name":"a"}]`, `{"subscriber":{"name":"a","o":{"p":{}}}}`, `{"user_id":12`,
		`{"event":"ConversationClosed","event_timestamp":"x","a":{"b":{"subscriber":1}}}`, `{"name":"\u0000\ud800"}`,
		`{"created_at":-1e-9,"last_contact_at":4102444799.9999999,"first_contact_at":"2017-07-14T07:56:32.5+03:00"}`,
	} {
		f.Add([]byte(body), "", "")
	}
	f.Add([]byte("subscriber[name]=%D0&a[b][c]=1&x"), "application/x-www-form-urlencoded", "")
	f.Add(compress(f, []byte(`{"name":"a"}`)), "", "gzip")

	f.Fuzz(func(t *testing.T, body []byte, contentType, coding string) {
		headers := []event.Header{{Name: "Content-Type", Value: contentType}}
		if coding != "" {
			headers = append(headers, event.Header{Name: "Content-Encoding", Value: coding})
		}
		req := &event.Received{Headers: headers, Body: body}
		before := bytes.Clone(body)
		start := time.Now()
		got := bothelp.Decode(req)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if !bytes.Equal(body, before) {
			t.Error("the body was changed")
		}
		if again := bothelp.Decode(req); !reflect.DeepEqual(got, again) {
			t.Errorf("got %s, then %s", dump(got), dump(again))
		}
		checkBounds(t, got)
		if coding == "" {
			checkError(t, body, got)
		}
	})
}

// checkBounds verifies that every string is valid UTF-8 without NUL, and that every value is within its bounds.
func checkBounds(t *testing.T, got event.Decoded) {
	t.Helper()
	size := 0
	for name, value := range got.Fields {
		size += len(name) + len(value)
		if !utf8.ValidString(name+value) || strings.ContainsRune(name+value, 0) {
			t.Errorf("field %q: %q", name, value)
		}
	}
	if len(got.Fields) > 256 || size > 64<<10 {
		t.Errorf("%d fields of %d bytes", len(got.Fields), size)
	}
	for i, v := 0, reflect.ValueOf(got); i < v.NumField(); i++ {
		switch field := v.Field(i).Interface().(type) {
		case string:
			if !utf8.ValidString(field) || strings.ContainsRune(field, 0) || len(field) > 4<<10 {
				t.Errorf("%s: %q", v.Type().Field(i).Name, field)
			}
		case *time.Time:
			if field != nil && (field.Unix() < 0 || field.Unix() > 4102444800 || field.Location() != time.UTC) {
				t.Errorf("%s: %v", v.Type().Field(i).Name, field)
			}
		}
	}
}

// checkError compares Decode's error with encoding/json's.
func checkError(t *testing.T, body []byte, got event.Decoded) {
	t.Helper()
	text := bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	start := bytes.TrimLeft(text, " \t\r\n")
	valid := json.Valid(text)
	object := valid && start[0] == '{'
	bodyFault := strings.HasPrefix(got.DecodeError, "body: ") || strings.Contains(got.DecodeError, "; body: ")
	if object && bodyFault {
		t.Errorf("valid object, but error %q", got.DecodeError)
	}
	mayBeRight := object || valid && start[0] == '[' || bytes.ContainsRune(text, '=')
	if !mayBeRight && !bodyFault {
		t.Errorf("%q is not an object, but the error is %q", body, got.DecodeError)
	}
	if !valid && len(start) > 0 && (start[0] == '{' || start[0] == '[') && !bodyFault {
		t.Errorf("%q is not JSON, but the error is %q", body, got.DecodeError)
	}
}

// FuzzDecodeString compares a decoded string with encoding/json's.
func FuzzDecodeString(f *testing.F) {
	for _, text := range []string{"a", "", "12", "Анна", "\x00\xff", `"\`, "a\n", "\u2028😀"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted, err := json.Marshal(text)
		var want string
		if err != nil || json.Unmarshal(quoted, &want) != nil {
			t.Fatal(err)
		}
		want = strings.ReplaceAll(want, "\x00", "\uFFFD")
		if len(want) > 4<<10 {
			t.Skip()
		}
		got := bothelp.Decode(&event.Received{Body: []byte(`{"name":` + string(quoted) + `,"x":` + string(quoted) +
			`}`)})
		if got.Name != want || got.Fields["x"] != want {
			t.Errorf("name %q, field %q, want %q", got.Name, got.Fields["x"], want)
		}
	})
}

// FuzzVerifySignature verifies that right signatures are accepted and that no mutation of one is.
func FuzzVerifySignature(f *testing.F) {
	f.Add([]byte(`{"event":"conversation_closed"}`), "token", uint16(0), byte('0'))
	f.Add([]byte(nil), "", uint16(70), byte('='))
	f.Add([]byte("x"), strings.Repeat("long", 40), uint16(3), byte(' '))
	f.Fuzz(func(t *testing.T, body []byte, token string, place uint16, with byte) {
		lower := bothelp.Sign(body, token)
		for _, right := range []string{lower, strings.ToUpper(lower), base64Of(lower)} {
			for _, header := range []string{right, "sha256=" + right} {
				if got := bothelp.VerifySignature(header, body, "other"+token, token); got != (token != "") {
					t.Fatalf("%q under %q: %v", header, token, got)
				}
				mutated := []byte(header)
				if i := int(place) % len(mutated); mutated[i] != with {
					mutated[i] = with
					if bothelp.VerifySignature(string(mutated), body, token) {
						t.Fatalf("%q passes for %q", mutated, header)
					}
				}
				if bothelp.VerifySignature(header, append(body[:len(body):len(body)], with), token) {
					t.Fatalf("%q passes for a longer body", header)
				}
			}
		}
	})
}
