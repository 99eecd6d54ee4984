package outbound

import (
	"strings"
	"testing"
)

func TestCleanURL(t *testing.T) {
	for _, good := range []string{"http://example.com", "https://example.com:8443/a?b=c", "http://[2001:db8::1]:80/",
		"http://пример.рф/", "HTTP://EXAMPLE.COM/"} {
		if _, err := CleanURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "example.com", "//example.com", "ftp://example.com/?t=secret",
		"file:///etc/passwd", "http://", "http:///path", "http://:80/", "http://example.com:99999/?t=secret",
		"http://example.com:0/", "http://exa mple.com", "http://user:secret@example.com/",
		"http://user:secret@exa mple.com/", "http://user:se/cret@example.com/", "http://example.com/\x00secret",
		"user:secret@example.com", "http://example.com/ok secret", "http://example.com/ok\u00a0secret",
		"http://example.com/ok\u200bsecret", "http://exa\u00admple.com/", "http://-пример-.рф/"} {
		_, err := CleanURL(bad)
		if err == nil {
			t.Errorf("%q was accepted", bad)
		} else if strings.Contains(err.Error(), "cret") {
			t.Errorf("%q: the error shows a secret: %v", bad, err)
		}
	}
}

// TestCleanURLConverts verifies that white space at the ends is removed, that scheme and host are lower case and ASCII,
// and that path and query stay unchanged.
func TestCleanURLConverts(t *testing.T) {
	for raw, want := range map[string]string{
		"https://crm.example.org/hooks?a=B#c":   "https://crm.example.org/hooks?a=B#c",
		" http://h/ok \t\n":                     "http://h/ok",
		"http://h/ok\u00a0":                     "http://h/ok",
		"\ufeff\u200bhttp://h/ok\u200b\u200e":   "http://h/ok",
		"HTTP://CRM.Example.ORG:8080/Hooks?A=B": "http://crm.example.org:8080/Hooks?A=B",
		"http://Испытание.РФ/Путь%2F?Я":         "http://xn--80akhbyknj4f.xn--p1ai/Путь%2F?Я",
		"http://испытание.рф:81":                "http://xn--80akhbyknj4f.xn--p1ai:81",
		"http://My_Service:8080/":               "http://my_service:8080/",
		"http://[FE80::1%25Eth0]:80/A":          "http://[fe80::1%25Eth0]:80/A",
		"http://[2001:DB8::1]/A":                "http://[2001:db8::1]/A",
		"http://h?A@B":                          "http://h?A@B",
	} {
		got, err := CleanURL(raw)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", raw, got, err, want)
		}
		if again, err := CleanURL(got); err != nil || again != got {
			t.Errorf("%q again: %q, %v", got, again, err)
		}
	}
}

func TestStoredURLHidesTheQuery(t *testing.T) {
	for url, want := range map[string]string{
		"https://crm.example.org/hooks":              "https://crm.example.org/hooks",
		"https://crm.example.org/hooks?token=s3cret": "https://crm.example.org/hooks?token=***",
		"https://h/a%2Fb?x=1&token=s%3Dcret=&empty=": "https://h/a%2Fb?x=***&token=***&empty=***",
		"https://h/?s3cret":                          "https://h/?***",
		"https://h/?a=s3cret;b=s3cret&&s3cret":       "https://h/?a=***&&***",
		"https://h/?":                                "https://h/?",
		"https://h/@user?a=?s3cret":                  "https://h/@user?a=***",
		"https://h/#s3cret":                          "https://h/",
		"https://h/?a=1#s3cret":                      "https://h/?a=***",
	} {
		if got := (Endpoint{URL: url}).StoredURL(); got != want {
			t.Errorf("%s is stored as %s, want %s", url, got, want)
		}
	}
}
