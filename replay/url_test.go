package replay

import (
	"strings"
	"testing"
)

func TestCheckURL(t *testing.T) {
	for _, good := range []string{"http://example.com", "https://example.com:8443/a?b=c", "http://[2001:db8::1]:80/", "http://пример.рф/", "HTTP://EXAMPLE.COM/"} {
		if err := CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "example.com", "//example.com", "ftp://example.com/?t=secret", "file:///etc/passwd", "http://", "http:///path", "http://:80/",
		"http://example.com:99999/?t=secret", "http://example.com:0/", "http://exa mple.com", "http://user:secret@example.com/", "http://user:secret@exa mple.com/",
		"http://user:se/cret@example.com/", "http://example.com/\x00secret", "user:secret@example.com"} {
		err := CheckURL(bad)
		if err == nil {
			t.Errorf("%q is taken", bad)
		} else if strings.Contains(err.Error(), "cret") {
			t.Errorf("%q: the error tells a secret: %v", bad, err)
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
