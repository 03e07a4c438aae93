package jsonwire

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestALoopOverAnObjectSkipsWhatItsBodyLeaves(t *testing.T) {
	r := NewReader([]byte(` { "a" : [1,{"b":2}] , "n" : "7", "x":{"y":[]}, "z":null } `))
	var keys []string
	for key := range r.Object {
		keys = append(keys, string(key))
		if string(key) == "n" {
			require.EqualValues(t, 7, r.Int64())
		}
	}
	require.NoError(t, r.End())
	require.Equal(t, []string{"a", "n", "x", "z"}, keys)
}

func TestALoopThatIsLeftEarlySkipsTheRest(t *testing.T) {
	r := NewReader([]byte(`[[1,2,3],{"a":1,"b":2},9]`))
	for i := range r.Array {
		switch i {
		case 0:
			for range r.Array {
				require.EqualValues(t, 1, r.Int64())
				break
			}
		case 1:
			for range r.Object {
				break
			}
		case 2:
			require.EqualValues(t, 9, r.Int64())
		}
	}
	require.NoError(t, r.End())
}

func TestTheRestOfALoopLeftEarlyIsStillChecked(t *testing.T) {
	r := NewReader([]byte(`{"a":1,"b":}`))
	for range r.Object {
		break
	}
	require.Error(t, r.End())
}

func TestNullIsTheZeroOfEverything(t *testing.T) {
	r := NewReader(nil)
	read := func(f func()) {
		r.Reset([]byte(" null "))
		require.Equal(t, Null, r.Kind())
		f()
		require.NoError(t, r.End())
	}
	read(func() { require.Zero(t, r.Int64()) })
	read(func() { require.Zero(t, r.Uint64()) })
	read(func() { require.Zero(t, r.Int32()) })
	read(func() { require.Zero(t, r.Enum([]string{"PUT"})) })
	read(func() { require.False(t, r.Bool()) })
	read(func() { require.Empty(t, r.String()) })
	read(func() { require.Nil(t, r.Bytes()) })
	read(func() { require.Empty(t, r.BytesString()) })
	read(func() { require.Equal(t, "x", string(r.AppendBytes([]byte("x")))) })
	read(func() {
		for range r.Object {
			t.Fatal("a member of null")
		}
	})
	read(func() {
		for range r.Array {
			t.Fatal("an element of null")
		}
	})
}

func TestStringsAreUnescapedAndMadeValidUTF8(t *testing.T) {
	for doc, want := range map[string]string{
		`""`: "", `"plain"`: "plain", `"é"`: "é", `"\"\\\/\b\f\n\r\t"`: "\"\\/\b\f\n\r\t",
		`"\u00e9\u20AC"`: "é€", `"\ud83d\ude00"`: "😀", `"\ud83dx"`: "\ufffdx", `"\ude00\ud83d"`: "\ufffd\ufffd",
		"\"a\xffb\"": "a\ufffdb", `"\u0000"`: "\x00",
	} {
		r := NewReader([]byte(doc))
		got := r.String()
		require.Equal(t, want, got)
		require.True(t, utf8.ValidString(got))
		require.NoError(t, r.End())
	}
	for _, doc := range []string{`"`, `"a`, `"\`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\n\"", "\"\x00\"", `1`, `[]`} {
		r := NewReader([]byte(doc))
		require.Empty(t, r.String())
		require.Error(t, r.End(), doc)
	}
}

func TestBase64IsStandardPaddedAndCanonical(t *testing.T) {
	for doc, want := range map[string]string{
		`""`: "", `"YQ=="`: "a", `"YWI="`: "ab", `"YWJj"`: "abc", `"+\/+\/Pj8="`: "\xfb\xff\xbf>?", `"\u0059Q=="`: "a",
	} {
		r := NewReader([]byte(doc))
		got := r.Bytes()
		require.Equal(t, want, string(got), doc)
		require.NotNil(t, got)
		require.NoError(t, r.End())
		r.Reset([]byte(doc))
		require.Equal(t, want, r.BytesString())
	}
	for _, doc := range []string{`"YQ"`, `"YQ="`, `"YR=="`, `"Y-_="`, `"YQ==\n"`, `"YW\r\n\r\nJj"`, "\"YWJj\n\n\n\n\"", `"===="`, `"YQ==YQ=="`, `"é==="`, `"YQ==`, `5`} {
		r := NewReader([]byte(doc))
		require.Empty(t, r.Bytes(), doc)
		require.Error(t, r.End(), doc)
	}
}

func TestValuesOfOneDocumentNeverReachIntoEachOther(t *testing.T) {
	var doc []byte
	doc = append(doc, '[')
	var want []string
	for n := range 300 {
		want = append(want, strings.Repeat(string(rune('a'+n%26)), n*n/9))
		doc = AppendBase64String(AppendElem(doc), want[n])
	}
	doc = append(doc, ']')
	r := NewReader(doc)
	var got [][]byte
	for range r.Array {
		got = append(got, r.Bytes())
	}
	require.NoError(t, r.End())
	for i := range got {
		require.Equal(t, len(got[i]), cap(got[i]))
		got[i] = append(got[i], "overrun"...)
	}
	for i := range got {
		require.Equal(t, want[i]+"overrun", string(got[i]))
	}
}

func TestValuesOutliveTheDocumentAndTheReadersNextUse(t *testing.T) {
	doc := []byte(`["YWJj","plain"]`)
	r := NewReader(doc)
	var key, text string
	for i := range r.Array {
		if i == 0 {
			key = r.BytesString()
		} else {
			text = r.String()
		}
	}
	require.NoError(t, r.End())
	clear(doc)
	r.Reset([]byte(`"eHl6"`))
	require.Equal(t, "xyz", string(r.Bytes()))
	require.Equal(t, "abc", key)
	require.Equal(t, "plain", text)
}

func TestTheFirstErrorSticksAndSaysWhere(t *testing.T) {
	r := NewReader([]byte(`{"count":"x1","more":true}`))
	for key := range r.Object {
		switch string(key) {
		case "count":
			r.Int64()
		default:
			t.Fatal("the loop goes on after an error")
		}
	}
	require.EqualError(t, r.End(), `jsonwire: found 'x' where an integer should be at offset 10`)
	require.False(t, r.Bool())
	require.Empty(t, r.Raw())
	require.Equal(t, Invalid, r.Kind())
	var syntax *SyntaxError
	require.ErrorAs(t, r.Err(), &syntax)
	require.Equal(t, 10, syntax.Offset)
	r.Reset([]byte(`true`))
	require.True(t, r.Bool())
	require.NoError(t, r.End())
}

func TestAnErrorEchoesNextToNothingOfTheDocument(t *testing.T) {
	secret := strings.Repeat("s3cret", 50)
	for _, doc := range []string{secret, `"` + secret, `{"` + secret + `"`, `["` + secret + `"}`, `{` + secret} {
		r := NewReader([]byte(doc))
		r.Skip()
		require.Error(t, r.End())
		require.NotContains(t, r.Err().Error(), "s3cret")
		r.Reset([]byte(`"` + secret + `"`))
		r.Enum([]string{"A"})
		r.Bytes()
		require.NotContains(t, r.Err().Error(), "s3cret")
	}
}

func TestNestingIsBounded(t *testing.T) {
	for _, brackets := range []string{"[]", `{"a":}`} {
		open, end := brackets[:len(brackets)-1], brackets[len(brackets)-1:]
		r := NewReader([]byte(strings.Repeat(open, MaxDepth-1) + "[]" + strings.Repeat(end, MaxDepth-1)))
		r.Skip()
		require.NoError(t, r.End())
		r.Reset([]byte(strings.Repeat(open, 1_000_000)))
		r.Skip()
		require.Error(t, r.End())
	}
}

func TestBoolsAreWordsAndNothingElse(t *testing.T) {
	r := NewReader([]byte(`[true,false]`))
	for i := range r.Array {
		require.Equal(t, i == 0, r.Bool())
	}
	require.NoError(t, r.End())
	for _, doc := range []string{``, `tru`, `falsey`, `True`, `"true"`, `1`} {
		r := NewReader([]byte(doc))
		r.Bool()
		require.Error(t, r.End(), doc)
	}
}

func TestRawIsTheTextOfOneValue(t *testing.T) {
	r := NewReader([]byte(`{"error": {"code":14, "message":"x"} }`))
	for range r.Object {
		require.Equal(t, Object, r.Kind())
		require.Equal(t, `{"code":14, "message":"x"}`, string(r.Raw()))
	}
	require.NoError(t, r.End())
}

func TestKindsAreToldByTheFirstByte(t *testing.T) {
	for doc, want := range map[string]Kind{
		``: Invalid, `x`: Invalid, "\x00": Invalid, ` null`: Null, `true`: Bool, `false`: Bool, `-1`: Number, `0`: Number, `""`: String, `{`: Object, `[`: Array,
	} {
		require.Equal(t, want, NewReader([]byte(doc)).Kind(), doc)
	}
}

func TestADecoderCanRefuseWhatIsJSON(t *testing.T) {
	r := NewReader([]byte(`{"a":[{},{},{}],"b":1}`))
	n := 0
	for range r.Object {
		for range r.Array {
			r.Skip()
			if n++; n == 2 {
				r.Refuse("enough")
			}
		}
	}
	require.Equal(t, 2, n, "every loop ends")
	require.EqualError(t, r.End(), "jsonwire: enough at offset 11")
}
