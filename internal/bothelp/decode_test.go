package bothelp_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
)

var update = flag.Bool("update", false, "update the golden files")

// TestDecodeGolden decodes BotHelp's own examples.
func TestDecodeGolden(t *testing.T) {
	for _, path := range fixtures(t) {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.MarshalIndent(bothelp.Decode(&event.Received{Body: body}), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		golden := strings.TrimSuffix(path, ".json") + ".golden"
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", filepath.Base(path), got, want)
		}
	}
}

type fields = map[string]string

func at(sec int64) *time.Time {
	t := time.Unix(sec, 0).UTC()
	return &t
}

func count(n uint64) *uint64 { return &n }

// flow returns the result for a body with at least one known key.
func flow(set func(*event.Decoded)) event.Decoded {
	d := event.Decoded{Kind: event.KindFlow}
	if set != nil {
		set(&d)
	}
	return d
}

func chat(kind event.Kind, sec int64, set func(*event.Decoded)) event.Decoded {
	d := event.Decoded{Kind: kind}
	if sec != 0 {
		d.EventAt = at(sec)
	}
	if set != nil {
		set(&d)
	}
	return d
}

func unknown(problem string) event.Decoded {
	return event.Decoded{Kind: event.KindUnknown, DecodeError: problem}
}

// decodeCase is a body with its result.
type decodeCase struct {
	name, body string
	want       event.Decoded
}

func run(t *testing.T, cases []decodeCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if got := bothelp.Decode(&event.Received{Body: []byte(tc.body)}); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("body %.200q\n got %s\nwant %s", tc.body, dump(got), dump(tc.want))
			}
		})
	}
}

func dump(d event.Decoded) string {
	text, _ := json.Marshal(d)
	return string(text)
}

func TestValues(t *testing.T) {
	run(t, []decodeCase{
		{"numbers as strings", `{"conversations_count":"10","created_at":"1499947711"}`, flow(func(d *event.Decoded) {
			d.ConversationsCount, d.CreatedAt = count(10), at(1499947711)
		})},
		{"strings as numbers", `{"user_id":784512369,"phone":79001234567,"name":12.5}`, flow(func(d *event.Decoded) {
			d.MessengerUserID, d.Phone, d.Name = "784512369", "79001234567", "12.5"
		})},
		{"ids above 2^53", `{"user_id":9007199254740993,"bothelp_user_id":123456789012345678901234567890}`,
			flow(func(d *event.Decoded) {
				d.MessengerUserID = "9007199254740993"
				d.BothelpUserID = "123456789012345678901234567890"
			})},
		{"exponents", `{"user_id":1e3,"bothelp_user_id":47659.0,"cuid":1e400,"ref":1.5e-1,"conversations_count":1e1}`,
			flow(func(d *event.Decoded) {
				d.MessengerUserID = "1000"
				d.BothelpUserID = "47659"
				d.CUID = "1e400"
				d.Ref = "1.5e-1"
				d.ConversationsCount = count(10)
			})},
		{"booleans", `{"name":true,"ref":false,"Подписка":true}`, flow(func(d *event.Decoded) {
			d.Name, d.Ref, d.Fields = "true", "false", fields{"Подписка": "true"}
		})},
		{"null is absent", `{"name":null,"created_at":null,"conversations_count":null,"Подписка":null}`, flow(nil)},
		{"empty is absent", `{"name":"","created_at":"","conversations_count":"","created_at_show":"","Подписка":""}`,
			flow(func(d *event.Decoded) {
				d.Fields = fields{"Подписка": ""}
			})},
		{"keys twice", `{"name":"a","name":"b","name":null,"name":"","x":1,"x":2,"x":null}`,
			flow(func(d *event.Decoded) {
				d.Name = "b"
				d.Fields = fields{"x": "2"}
				d.DecodeError = "name: has several values, the last one counts"
			})},
		{"a field twice", `{"name":"a","name":"a","x":"1","x":"1","y":1,"y":2}`, flow(func(d *event.Decoded) {
			d.Name = "a"
			d.Fields = fields{"x": "1", "y": "2"}
			d.DecodeError = "y: has several values, the last one counts"
		})},
		{"escapes in objects and lists",
			`{"name":"a","o":{"\u0418\u043c\u044f":"https:\/\/t.me\/x","q":"\"\\\n"},"l":["\u0410\u043d\u043d\u0430",1.0],"z":["\u0000"]}`, flow(func(d *event.Decoded) {
				d.Name = "a"
				d.Fields = fields{"o": `{"Имя":"https://t.me/x","q":"\"\\\n"}`, "l": `["Анна",1.0]`, "z": `["\u0000"]`}
			})},
		{"half a surrogate pair in a list", `{"name":"a","l":["\ud83d"]}`, flow(func(d *event.Decoded) {
			d.Name = "a"
			d.Fields = fields{"l": "[\"\uFFFD\"]"}
			d.DecodeError = "l: NUL, or what is no character, replaced by \uFFFD"
		})},
		{"fields of all kinds",
			`{"name":"a","s":"1 \"2\"","n":1.50e3,"o":{"a" : [1]},"l":[1, "2"],"":"empty name","Доп данные":"да"}`,
			flow(func(d *event.Decoded) {
				d.Name = "a"
				d.Fields = fields{"s": `1 "2"`, "n": "1.50e3", "o": `{"a" : [1]}`, "l": `[1, "2"]`, "": "empty name",
					"Доп данные": "да"}
			})},
		{"names in capitals are custom fields", `{"Name":"x","name":"y"}`, flow(func(d *event.Decoded) {
			d.Name, d.Fields = "y", fields{"Name": "x"}
		})},
		{"escaped names", `{"\u006eame":"y","\u0414\u0430":"z"}`, flow(func(d *event.Decoded) {
			d.Name, d.Fields = "y", fields{"Да": "z"}
		})},
		{"spaces stay", `{"name":"  Anna "}`, flow(func(d *event.Decoded) { d.Name = "  Anna " })},
		{"NUL and lone surrogates", `{"name":"a\u0000b","x\u0000":"\ud83d","first_name":"\ud83d\ude00"}`,
			flow(func(d *event.Decoded) {
				d.Name = "a\uFFFDb"
				d.FirstName = "😀"
				d.Fields = fields{"x\uFFFD": "\uFFFD"}
				d.DecodeError = "name: NUL, or what is no character, replaced by \uFFFD"
			})},
		{"invalid UTF-8", "{\"name\":\"a\xffb\",\"x\xfe\":\"\xd0\",\"l\":[\"\xff\"]}", flow(func(d *event.Decoded) {
			d.Name = "a\uFFFDb"
			d.Fields = fields{"x\uFFFD": "\uFFFD", "l": "[\"\uFFFD\"]"}
			d.DecodeError = "name: NUL, or what is no character, replaced by \uFFFD"
		})},
		{"byte order mark", "\xef\xbb\xbf{\"name\":\"a\"}", flow(func(d *event.Decoded) { d.Name = "a" })},
		{"white space", " \r\n\t{ \"name\" : \"a\" } \n", flow(func(d *event.Decoded) { d.Name = "a" })},
		{"escaped slashes tell the channel", `{"profile_link":"https:\/\/fb.com\/1"}`, flow(func(d *event.Decoded) {
			d.ProfileLink, d.Channel = "https://fb.com/1", "facebook"
		})},
		{"objects for values", `{"name":{"first":"A"},"phone":["+7"],"created_at":[]}`, flow(func(d *event.Decoded) {
			d.Fields = fields{"name": `{"first":"A"}`, "phone": `["+7"]`, "created_at": "[]"}
			d.DecodeError = "name: an object where one value was expected"
		})},
		{"counts that are none", `{"conversations_count":-1}`, flow(func(d *event.Decoded) {
			d.DecodeError = "conversations_count: not a whole number from 0 up"
		})},
		{"the first key is named", `{"conversations_count":"many","created_at":"yesterday","name":"a"}`,
			flow(func(d *event.Decoded) {
				d.Name, d.DecodeError = "a", "conversations_count: not a whole number from 0 up"
			})},
		{"created_at_show", `{"created_at_show":"14/07/2017 07:56:32 UTC"}`, flow(func(d *event.Decoded) {
			d.CreatedAt = at(1500018992)
		})},
		{"created_at_show gives way", `{"created_at_show":"soon","created_at":1499947711}`,
			flow(func(d *event.Decoded) {
				d.CreatedAt = at(1499947711)
			})},
		{"created_at_show helps out", `{"created_at":"soon","created_at_show":"14/07/2017 07:56:32 UTC"}`,
			flow(func(d *event.Decoded) {
				d.CreatedAt, d.DecodeError = at(1500018992), "created_at: not a time"
			})},
		{"created_at_show in another zone", `{"created_at_show":"14/07/2017 10:56:32 MSK"}`,
			flow(func(d *event.Decoded) {
				d.DecodeError = "created_at_show: not a time"
			})},
	})
}

func TestTimes(t *testing.T) {
	micros := func(n int64) *time.Time {
		t := time.UnixMicro(n).UTC()
		return &t
	}
	const notTime, outside = "last_contact_at: not a time", "last_contact_at: a time outside 1970 to 2100"
	for _, tc := range []struct {
		value   string
		want    *time.Time
		problem string
	}{
		{`1499944111`, at(1499944111), ""},
		{`"1499944111"`, at(1499944111), ""},
		{`" 1499944111 "`, at(1499944111), ""},
		{`1499944111000`, at(1499944111), ""},
		{`"1499944111123"`, micros(1499944111123000), ""},
		{`1499944111123456`, micros(1499944111123456), ""},
		{`1499944111.25`, micros(1499944111250000), ""},
		{`1.499944111e9`, at(1499944111), ""},
		{`1`, at(1), ""},
		{`4102444799`, at(4102444799), ""},
		{`4102444799999999`, micros(4102444799999999), ""},
		{`"2017-07-14T07:56:32Z"`, at(1500018992), ""},
		{`"2017-07-14T10:56:32.5+03:00"`, micros(1500018992500000), ""},
		{`"2017-07-14T10:56:32+0300"`, at(1500018992), ""},
		{`"14/07/2017 07:56:32 UTC"`, at(1500018992), ""},
		{`0`, nil, ""},
		{`"0"`, nil, ""},
		{`-1`, nil, outside},
		{`4102444800`, nil, outside},
		{`50000000000`, nil, outside},
		{`4102444800000000`, nil, outside},
		{`1e999`, nil, outside},
		{`"2100-01-01T00:00:00Z"`, nil, outside},
		{`"1969-12-31T23:59:59Z"`, nil, outside},
		{`"0000-00-00 00:00:00"`, nil, notTime},
		{`"14/07/2017 07:56:32 MSK"`, nil, notTime},
		{`"32/07/2017 07:56:32 UTC"`, nil, notTime},
		{`"yesterday"`, nil, notTime},
		{`true`, nil, notTime},
	} {
		got := bothelp.Decode(&event.Received{Body: []byte(`{"last_contact_at":` + tc.value + `}`)})
		want := flow(func(d *event.Decoded) { d.LastContactAt, d.DecodeError = tc.want, tc.problem })
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %s, want %s", tc.value, dump(got), dump(want))
		}
	}
}

func TestKind(t *testing.T) {
	const closed, viewed, sec = event.KindConversationClosed, event.KindUserProfileViewed, 1726951234
	run(t, []decodeCase{
		{"closed", `{"event":"conversation_closed","event_timestamp":1726951234}`, chat(closed, sec, nil)},
		{"viewed", `{"event_timestamp":"1726951234000","event":"user_profile_viewed"}`, chat(viewed, sec, nil)},
		{"camel case", `{"event":"ConversationClosed","event_timestamp":1726951234}`, chat(closed, sec, nil)},
		{"hyphens and capitals", `{"event":"USER-PROFILE-VIEWED","event_timestamp":1726951234}`,
			chat(viewed, sec, nil)},
		{"spaces, no time", `{"event":"user profile viewed"}`, chat(viewed, 0, nil)},
		{"unreadable time", `{"event":"conversation_closed","event_timestamp":"now"}`,
			chat(closed, 0, func(d *event.Decoded) {
				d.DecodeError = "event_timestamp: not a time"
			})},
		{"another event", `{"event":"tag_added","event_timestamp":1726951234,"name":"A"}`,
			chat(event.KindUnknown, sec, func(d *event.Decoded) {
				d.Name, d.Fields = "A", fields{"event": "tag_added"}
			})},
		{"custom field event", `{"event":"Вебинар","name":"A"}`, flow(func(d *event.Decoded) {
			d.Name, d.Fields = "A", fields{"event": "Вебинар"}
		})},
		{"custom field event, empty time", `{"event":"Вебинар","event_timestamp":"","name":"A"}`,
			flow(func(d *event.Decoded) {
				d.Name, d.Fields = "A", fields{"event": "Вебинар"}
			})},
		{"custom field event_timestamp", `{"event":null,"event_timestamp":"12:00","name":"A"}`,
			flow(func(d *event.Decoded) {
				d.Name, d.Fields = "A", fields{"event_timestamp": "12:00"}
			})},
		{"custom field event, list", `{"event":["a"],"event_timestamp":1,"name":"A"}`, flow(func(d *event.Decoded) {
			d.Name, d.Fields = "A", fields{"event": `["a"]`, "event_timestamp": "1"}
		})},
		{"no subscriber", `{"Доп данные":"x"}`, event.Decoded{Kind: event.KindUnknown,
			Fields: fields{"Доп данные": "x"}}},
		{"nothing", `{}`, unknown("")},
		{"known key without value", `{"email":null}`, flow(nil)},
	})
}

func TestNested(t *testing.T) {
	const closed, sec = event.KindConversationClosed, 1726951234
	const head = `{"event":"conversation_closed","event_timestamp":1726951234,`
	run(t, []decodeCase{
		{"wrapped",
			`{"subscriber":{"bothelp_user_id":1,"created_at_show":"14/07/2017 07:56:32 UTC","Доп данные":"да","o":{"name":"x"}}}`, flow(func(d *event.Decoded) {
				d.BothelpUserID, d.CreatedAt = "1", at(1500018992)
				d.Fields = fields{"Доп данные": "да", "o": `{"name":"x"}`}
			})},
		{"array of one", `[{"name":"a"}]`, flow(func(d *event.Decoded) { d.Name = "a" })},
		{"beside other objects", `{"bot":{"id":5},"subscriber":{"name":"a","age":21}}`, flow(func(d *event.Decoded) {
			d.Name, d.Fields = "a", fields{"bot.id": "5", "subscriber.age": "21"}
		})},
		{"nested created_at_show", `{"data":{"created_at_show":"14/07/2017 07:56:32 UTC"}}`,
			flow(func(d *event.Decoded) {
				d.CreatedAt = at(1500018992)
			})},
		{"created_at_show of the top level stays",
			`{"subscriber":{"created_at_show":"soon"},"created_at_show":"14/07/2017 07:56:32 UTC"}`,
			flow(func(d *event.Decoded) {
				d.CreatedAt = at(1500018992)
			})},
		{"nested counts and times of the top level stay",
			`{"subscriber":{"conversations_count":2,"created_at":5},"conversations_count":1,"created_at":4}`,
			flow(func(d *event.Decoded) {
				d.ConversationsCount, d.CreatedAt = count(1), at(4)
				d.Fields = fields{"subscriber.conversations_count": "2", "subscriber.created_at": "5"}
			})},
		{"one object down, of any name", `{"data":{"name":"a","age":21},"v":2}`, flow(func(d *event.Decoded) {
			d.Name, d.Fields = "a", fields{"data.age": "21", "v": "2"}
		})},
		{"an object in a flat body is a custom field", `{"cuid":"1et0.301","order":{"name":"Course","id":7}}`,
			flow(func(d *event.Decoded) {
				d.CUID, d.Fields = "1et0.301", fields{"order": `{"name":"Course","id":7}`}
			})},
		{"the top level stays", `{"subscriber":{"name":"b","email":"b@example.com"},"name":"a"}`,
			flow(func(d *event.Decoded) {
				d.Name, d.Email, d.Fields = "a", "b@example.com", fields{"subscriber.name": "b"}
			})},
		{"chat, at the top", head + `"user_id":5,"o":{"x":1}}`, chat(closed, sec, func(d *event.Decoded) {
			d.MessengerUserID, d.Fields = "5", fields{"o.x": "1"}
		})},
		{"chat, the operator is not the subscriber",
			head + `"subscriber":{"name":"a","name":"b"},"operator":{"name":"o","email":"o@example.com"}}`, chat(closed,
				sec, func(d *event.Decoded) {
					d.Name = "b"
					d.Fields = fields{"operator.name": "o", "operator.email": "o@example.com"}
					d.DecodeError = "subscriber.name: has several values, the last one counts"
				})},
		{"chat, two down", head + `"c":{"id":1,"subscriber":{"cuid":"x","tags":["a"],"o":{"p":1}},"name":"chat"}}`,
			chat(closed, sec, func(d *event.Decoded) {
				d.CUID = "x"
				d.Fields = fields{"c.id": "1", "c.name": "chat", "c.subscriber.tags": `["a"]`,
					"c.subscriber.o": `{"p":1}`}
			})},
		{"chat, no object called subscriber", head + `"contact":{"name":"a"},"c":{"user":{"user_id":"7"}}}`,
			chat(closed, sec, func(d *event.Decoded) {
				d.Name, d.MessengerUserID = "a", "7"
			})},
		{"a nested key that cannot be read", head + `"conversation":{"subscriber":{"created_at":"x"}}}`,
			chat(closed, sec, func(d *event.Decoded) {
				d.DecodeError = "conversation.subscriber.created_at: not a time"
			})},
	})
}

func TestDamaged(t *testing.T) {
	run(t, []decodeCase{
		{"empty", "", unknown("body: empty")},
		{"white space", " \n", unknown("body: empty")},
		{"text", "hello", unknown("body: not JSON from byte 0 on")},
		{"markup", "<a href=\"x=y\">", unknown("body: not JSON from byte 0 on")},
		{"a number and more", "12/05", unknown("body: not JSON from byte 2 on")},
		{"a string", `"name"`, unknown("body: a string, not an object")},
		{"a number", `5`, unknown("body: a number, not an object")},
		{"null", `null`, unknown("body: the literal null, not an object")},
		{"empty array", `[ ]`, unknown("body: an empty array")},
		{"array of a number", `[1]`, unknown("body: a number in an array, not an object")},
		{"array of two", `[{"name":"a"},{"name":"b"}]`, flow(func(d *event.Decoded) {
			d.Name, d.DecodeError = "a", "body: an array of which only the first object was read"
		})},
		{"array cut", `[{"name":"a"}`, flow(func(d *event.Decoded) {
			d.Name, d.DecodeError = "a", "body: ends too early, at byte 13"
		})},
		{"trailing garbage", `{"name":"a"} secret`, flow(func(d *event.Decoded) {
			d.Name, d.DecodeError = "a", "body: something after its JSON, from byte 13"
		})},
		{"offsets count the byte order mark", "\xef\xbb\xbf{\"name\":\"a\"}}", flow(func(d *event.Decoded) {
			d.Name, d.DecodeError = "a", "body: something after its JSON, from byte 15"
		})},
		{"cut in a string", `{"name":"a","email":"secr`, flow(func(d *event.Decoded) {
			d.Name, d.DecodeError = "a", "body: ends too early, at byte 25, in email"
		})},
		{"cut in a number", `{"name":"a","user_id":1234`, flow(func(d *event.Decoded) {
			d.Name, d.DecodeError = "a", "body: ends too early, at byte 26, in user_id"
		})},
		{"cut after a number", `{"name":"a","user_id":1234,`, flow(func(d *event.Decoded) {
			d.Name = "a"
			d.MessengerUserID = "1234"
			d.DecodeError = "body: ends too early, at byte 27"
		})},
		{"cut in a name", `{"name":"a","us`, flow(func(d *event.Decoded) {
			d.Name, d.DecodeError = "a", "body: ends too early, at byte 15"
		})},
		{"cut in the wrapper", `{"subscriber":{"name":"a","user_id":12`, flow(func(d *event.Decoded) {
			d.Name, d.DecodeError = "a", "body: ends too early, at byte 38, in subscriber"
		})},
		{"cut in a custom object", `{"name":"a","o":{"x":1,"y`, flow(func(d *event.Decoded) {
			d.Name, d.DecodeError = "a", "body: ends too early, at byte 25, in o"
		})},
		{"cut two objects down", `{"event":"conversation_closed","c":{"id":5,"subscriber":{"cuid":"x","name":"An`,
			chat(event.KindConversationClosed, 0, func(d *event.Decoded) {
				d.CUID = "x"
				d.Fields = fields{"c.id": "5"}
				d.DecodeError = "body: ends too early, at byte 78, in c"
			})},
		{"wrong in the middle", `{"name":"a","email":secret,"phone":"1"}`, flow(func(d *event.Decoded) {
			d.Name, d.DecodeError = "a", "body: not JSON from byte 20 on, in email"
		})},
		{"wrong in an inner object", `{"subscriber":{"name":"a","email":secret},"phone":"1"}`,
			flow(func(d *event.Decoded) {
				d.Name, d.DecodeError = "a", "body: not JSON from byte 34 on, in subscriber"
			})},
		{"a bare NUL", "{\"name\":\"a\",\"email\":\"s\x00\"}", flow(func(d *event.Decoded) {
			d.Name, d.DecodeError = "a", "body: not JSON from byte 22 on, in email"
		})},
		{"a key and the body", `{"created_at":"x","name":"a`, flow(func(d *event.Decoded) {
			d.DecodeError = "created_at: not a time; body: ends too early, at byte 27, in name"
		})},
		{"names not for printing", "{\"a\\nb\":", unknown(`body: ends too early, at byte 8, in "a\nb"`)},
		{"long names", `{"` + strings.Repeat("я", 100) + `":`,
			unknown(`body: ends too early, at byte 204, in "` + strings.Repeat("я", 32) + `"…`)},
	})
}

func TestBounds(t *testing.T) {
	decode := func(body string) event.Decoded { return bothelp.Decode(&event.Received{Body: []byte(body)}) }

	t.Run("text", func(t *testing.T) {
		got := decode(`{"name":"a` + strings.Repeat("я", 4096) + `"}`)
		if want := "a" + strings.Repeat("я", 2047); got.Name != want ||
			got.DecodeError != "name: longer than 4096 bytes, cut" {
			t.Errorf("%d bytes, %q", len(got.Name), got.DecodeError)
		}
	})
	t.Run("fields", func(t *testing.T) {
		var body strings.Builder
		for i := range 300 {
			body.WriteString(`,"f` + strings.Repeat("x", i) + `":1`)
		}
		got := decode("{" + body.String()[1:] + `,"name":"a"}`)
		if len(got.Fields) != 256 || got.Name != "a" ||
			!strings.HasSuffix(got.DecodeError, "left out, for there are more than 256 fields") {
			t.Errorf("%d fields, %q", len(got.Fields), got.DecodeError)
		}
	})
	t.Run("field bytes", func(t *testing.T) {
		got := decode(`{"a":"` + strings.Repeat("x", 65000) + `","b":"` + strings.Repeat("y", 1000) + `","c":"z"}`)
		if len(got.Fields) != 2 || got.Fields["c"] != "z" ||
			got.DecodeError != "b: left out, for fields take more than 65536 bytes" {
			t.Errorf("%d fields, %q", len(got.Fields), got.DecodeError)
		}
	})
	t.Run("one field again and again", func(t *testing.T) {
		got := decode("{" + strings.Repeat(`"a":"bcdefgh",`, 100_000) + `"name":"a"}`)
		if got.Name != "a" || !strings.HasPrefix(got.DecodeError, "a: left out") {
			t.Errorf("%q %q", got.Name, got.DecodeError)
		}
	})
	t.Run("nesting", func(t *testing.T) {
		const n = 100_000
		got := decode(`{"name":"a","o":` + strings.Repeat(`{"o":`, n) + "1" + strings.Repeat("}", n) + "}")
		if got.Name != "a" || !strings.HasPrefix(got.DecodeError, "body: not JSON from byte ") {
			t.Errorf("%q %q", got.Name, got.DecodeError)
		}
	})
	t.Run("many objects", func(t *testing.T) {
		got := decode(`{"event":"conversation_closed","o":{` + strings.Repeat(`"p":{"q":1},`, 100) + `"name":"a"}}`)
		if got.Name != "a" || got.Fields["o.p.q"] != "1" || got.Fields["o.p"] != `{"q":1}` {
			t.Errorf("got %s", dump(got))
		}
	})
}

// TestDecodeConcurrently is for the race detector: concurrent calls share buffers one after the other.
func TestDecodeConcurrently(t *testing.T) {
	var wg sync.WaitGroup
	for _, path := range fixtures(t) {
		body := fixture(t, filepath.Base(path))
		want := bothelp.Decode(&event.Received{Body: body})
		for range 4 {
			wg.Go(func() {
				for range 200 {
					if got := bothelp.Decode(&event.Received{Body: bytes.Clone(body)}); !reflect.DeepEqual(got, want) {
						t.Errorf("got %s, want %s", dump(got), dump(want))
						return
					}
				}
			})
		}
	}
	wg.Wait()
}

// TestDecodeSharesNothing verifies that the result does not change with the body.
func TestDecodeSharesNothing(t *testing.T) {
	body := fixture(t, "flow.json")
	got := bothelp.Decode(&event.Received{Body: body})
	want := dump(got)
	for i := range body {
		body[i] = 'x'
	}
	bothelp.Decode(&event.Received{Body: fixture(t, "flow-telegram-cyrillic.json")})
	if dump(got) != want {
		t.Errorf("the result changed to %s", dump(got))
	}
}
