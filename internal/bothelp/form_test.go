package bothelp_test

import (
	"reflect"
	"testing"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
)

func TestForm(t *testing.T) {
	run(t, []decodeCase{
		{"flat", `name=%D0%90%D0%BD%D0%BD%D0%B0+P&user_id=5&created_at=1499947711&age=21`, flow(func(d *event.Decoded) {
			d.Name = "Анна P"
			d.MessengerUserID = "5"
			d.CreatedAt = at(1499947711)
			d.Fields = fields{"age": "21"}
		})},
		{"PHP", `subscriber[name]=A&subscriber%5Bemail%5D=a%40b.c&subscriber[%D0%94%D0%B0]=1`,
			flow(func(d *event.Decoded) {
				d.Name, d.Email, d.Fields = "A", "a@b.c", fields{"Да": "1"}
			})},
		{"chat",
			"event=conversation_closed&event_timestamp=1726951234&conversation[id]=c&conversation[subscriber][name]=A\r\n", chat(event.KindConversationClosed, 1726951234, func(d *event.Decoded) {
				d.Name, d.Fields = "A", fields{"conversation.id": "c"}
			})},
		{"odd brackets are names", `name=A&tags[]=x&[y]=1&a[b=2&c[d][e][f]=3`, flow(func(d *event.Decoded) {
			d.Name, d.Fields = "A", fields{"tags[]": "x", "[y]": "1", "a[b": "2", "c[d][e][f]": "3"}
		})},
		{"wrong escape", `name=100%&cuid=1`, flow(func(d *event.Decoded) {
			d.Name = "100%"
			d.CUID = "1"
			d.DecodeError = "name: a percent sign that escapes nothing, kept as it came"
		})},
		{"invalid UTF-8, NUL and quotes", `name=%FFa%00%22&&cuid`, flow(func(d *event.Decoded) {
			d.Name = "\uFFFDa\uFFFD\""
			d.DecodeError = "name: NUL, or what is no character, replaced by \uFFFD"
		})},
		{"base64 is no form", `bmFtZQ==`, unknown("body: not JSON from byte 0 on")},
		{"prose is no form", `x=1 and so on`, unknown("body: not JSON from byte 0 on")},
	})
}

// TestQuery verifies that a request whose method has no body belongs to the subscriber in its query.
func TestQuery(t *testing.T) {
	for _, c := range []struct {
		method, query, body string
		want                event.Decoded
	}{
		{"GET", "sku=12&bothelp_user_id=47659&name=Анна К&phone=%2B7", "", flow(func(d *event.Decoded) {
			d.BothelpUserID, d.Name, d.Phone, d.Fields = "47659", "Анна К", "+7", fields{"sku": "12"}
		})},
		{"DELETE", "cuid=1", "", flow(func(d *event.Decoded) { d.CUID = "1" })},
		{"GET", "", "", unknown("")},
		{"GET", "12", "", unknown("")},
		{"GET", "cuid=2", "{}", unknown("")},
		{"POST", "cuid=2", "", unknown("body: empty")},
	} {
		got := bothelp.Decode(&event.Received{Method: c.method, Query: c.query, Body: []byte(c.body)})
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s ?%s %s: got %s", c.method, c.query, c.body, dump(got))
		}
	}
}

// TestContentType verifies that the header decides only if the body is ambiguous.
func TestContentType(t *testing.T) {
	for _, tc := range []struct{ contentType, body, name string }{
		{"application/ json", `{"name":"a"}`, "a"},
		{"application/x-www-form-urlencoded", `{"name":"a=b"}`, "a=b"},
		{"application/json", `name=a`, "a"},
		{"application/x-www-form-urlencoded; charset=utf-8", `name=a b`, "a b"},
		{"APPLICATION/X-WWW-FORM-URLENCODED", "name=\"a\"", `"a"`},
		{"", `name=a`, "a"},
	} {
		got := bothelp.Decode(&event.Received{
			Headers: []event.Header{{Name: "Content-Type", Value: tc.contentType}},
			Body:    []byte(tc.body),
		})
		if want := flow(func(d *event.Decoded) { d.Name = tc.name }); !reflect.DeepEqual(got, want) {
			t.Errorf("%s %s: got %s", tc.contentType, tc.body, dump(got))
		}
	}
}
