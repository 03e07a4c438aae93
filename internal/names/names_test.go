package names

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASegmentIsReadBackAsTheNameItWasMadeOf(t *testing.T) {
	for name, want := range map[string]string{
		"deploy":          "deploy",
		"a/b":             "a%2Fb",
		"a%2Fb":           "a%252Fb",
		"shop:42@eu-1":    "shop:42@eu-1",
		"größe":           "größe",
		"two words":       "two%20words",
		"\x00\xff":        "%00%FF",
		"\ufffd":          "%EF%BF%BD",
		"new\nline":       "new%0Aline",
		"zero\u200bwidth": "zero%E2%80%8Bwidth",
		".":               ".",
	} {
		got, err := Escape(name)
		if err != nil || got != want {
			t.Errorf("Escape(%q) = %q, %v; want %q", name, got, err, want)
		}
		back, err := Unescape(got)
		if err != nil || back != name {
			t.Errorf("Unescape(%q) = %q, %v; want %q", got, back, err, name)
		}
	}
}

func TestNoNameIsEmptyOrOverlong(t *testing.T) {
	if _, err := Escape(""); !errors.Is(err, ErrEmpty) {
		t.Errorf("empty: %v", err)
	}
	if _, err := Escape(strings.Repeat("x", MaxLen)); err != nil {
		t.Errorf("longest: %v", err)
	}
	if _, err := Escape(strings.Repeat("x", MaxLen+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("overlong: %v", err)
	}
}

func TestASegmentThatEscapeNeverMakesIsRefused(t *testing.T) {
	for _, s := range []string{"", "a/b", "%", "%4", "%2f", "%61", "%zz", "a b", "\xff"} {
		if name, err := Unescape(s); err == nil {
			t.Errorf("Unescape(%q) = %q", s, name)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"a", "a/b", "%", "\x00", "ä", "\xc3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		seg, err := Escape(name)
		if err != nil {
			if name != "" && len(name) <= MaxLen {
				t.Fatalf("Escape(%q): %v", name, err)
			}
			return
		}
		if strings.Contains(seg, "/") {
			t.Fatalf("Escape(%q) = %q holds a slash", name, seg)
		}
		if back, err := Unescape(seg); err != nil || back != name {
			t.Fatalf("Unescape(Escape(%q)) = %q, %v", name, back, err)
		}
	})
}

func TestAPrefixThatIsEmptyOrTooLongIsRefused(t *testing.T) {
	got, err := Prefix("some/where")
	require.NoError(t, err)
	require.Equal(t, "some/where/", got)
	_, err = Prefix("")
	require.ErrorContains(t, err, "empty")
	_, err = Prefix(strings.Repeat("x", MaxLen+1))
	require.ErrorContains(t, err, "longer than 512 bytes: it has 513")
}
