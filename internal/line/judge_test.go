package line

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
)

// at makes a line of contenders of these kinds, with the revisions 10, 20, ...
func at(l *Line, kinds ...Note) *view {
	v := &view{whole: true, rev: 1000}
	for i, n := range kinds {
		rev := int64(10 * (i + 1))
		v.front = append(v.front, Member{Note: n, Key: key(l, rev), Token: rev})
	}
	return v
}

func key(l *Line, rev int64) string { return l.prefix + string(rune('a'+rev/10-1)) }

var (
	w        = Note{Kind: Writer}
	r        = Note{Kind: Reader}
	fourSets = &etcd.KV{Key: "p/settings", Value: Settings{Kind: SemaphoreLine, Limit: 4}.encode()}
)

func permits(n int64) Note { return Note{Kind: Permits, Weight: n} }

func TestAContenderWaitsForWhomItsRuleSays(t *testing.T) {
	l := &Line{prefix: "p/"}
	want := func(n int64) Rule { return Rule{Kind: Permits, Weight: n, Limit: 4} }
	for name, c := range map[string]struct {
		rule  Rule
		front []Note
		watch string // empty: it is in
	}{
		"a writer alone":                            {rule: Rule{Kind: Writer}},
		"a writer behind a reader":                  {Rule{Kind: Writer}, []Note{r}, "p/a"},
		"a writer behind several, the last of them": {Rule{Kind: Writer}, []Note{w, r, r}, "p/c"},
		"a reader behind readers":                   {Rule{Kind: Reader}, []Note{r, r, r}, ""},
		"a reader behind a writer and readers":      {Rule{Kind: Reader}, []Note{w, r, r}, "p/a"},
		"a reader, the last of the writers":         {Rule{Kind: Reader}, []Note{w, r, w, r}, "p/c"},
		"a reader behind what it does not know":     {Rule{Kind: Reader}, []Note{r, {Kind: "upgrader"}, r}, "p/b"},
		"permits that fit":                          {want(2), []Note{permits(1), permits(1)}, ""},
		"the first whose permits do not fit":        {want(2), []Note{permits(1), permits(2)}, "p/"},
		"a later one, though its permits would fit": {want(1), []Note{permits(3), permits(2)}, "p/b"},
	} {
		t.Run(name, func(t *testing.T) {
			v := at(l, c.front...)
			v.settings = nil
			if c.rule.Kind == Permits {
				v.settings = fourSets
			}
			d := l.judge(c.rule, v)
			require.NoError(t, d.err)
			require.False(t, d.look)
			require.Equal(t, c.watch == "", d.in)
			switch c.watch {
			case "":
			case "p/":
				require.Equal(t, l.set(), d.watch)
				require.False(t, d.one)
			default:
				require.Equal(t, etcd.Key(c.watch), d.watch)
				require.True(t, d.one)
			}
		})
	}
}

func TestAViewThatIsNotWholeLetsNobodyIn(t *testing.T) {
	l := &Line{prefix: "p/"}
	for _, rule := range []Rule{{Kind: Writer}, {Kind: Reader}, {Kind: Permits, Weight: 1, Limit: 4}} {
		d := l.judge(rule, &view{settings: fourSets})
		require.True(t, d.look, rule.Kind)
		require.False(t, d.in)
	}
	d := l.judge(Rule{Kind: Reader}, &view{front: at(l, r, r).front})
	require.True(t, d.look)
}

func TestALineThatIsUsedOtherwiseIsAMismatchThatNamesTheKey(t *testing.T) {
	l := &Line{prefix: "p/"}
	foreign := Note{}
	sem := Rule{Kind: Permits, Weight: 2, Limit: 4}
	settings := func(s string) *etcd.KV { return &etcd.KV{Key: "p/settings", Value: []byte(s)} }
	for name, c := range map[string]struct {
		rule     Rule
		front    []Note
		settings *etcd.KV
		says     string
	}{
		"a writer behind permits":                  {Rule{Kind: Writer}, []Note{permits(1)}, nil, `"p/a": a semaphore's permits stand there`},
		"a reader behind permits":                  {Rule{Kind: Reader}, []Note{permits(1), r}, nil, `"p/a": a semaphore's`},
		"a writer in an empty semaphore":           {Rule{Kind: Writer}, nil, fourSets, `"p/settings": the line is a "semaphore"`},
		"permits behind a writer":                  {sem, []Note{w}, fourSets, `"p/a": it is not a semaphore's`},
		"permits behind another program's key":     {sem, []Note{permits(1), foreign}, fourSets, `"p/b": it is not a semaphore's`},
		"permits, the limit was deleted":           {sem, nil, nil, `"p/settings": it is missing`},
		"permits, the settings are another line's": {sem, nil, settings(`{"kind":"quarantine","quarantine":"30s"}`), `belongs to a "quarantine"`},
		"permits, the settings are garbage":        {sem, nil, settings(`{`), `does not hold settings`},
		"permits that can never be had":            {sem, nil, settings(`{"kind":"semaphore","limit":1}`), `2 permits can never be had: the limit is now 1`},
		"another quarantine":                       {Rule{Kind: Writer, Quarantine: 5e9}, []Note{{Kind: Writer, Quarantine: "30s"}}, nil, `its quarantine is "30s", not "5s"`},
		"no quarantine":                            {Rule{Kind: Writer}, []Note{{Kind: Writer, Quarantine: "30s"}}, nil, `its quarantine is "30s", not ""`},
	} {
		t.Run(name, func(t *testing.T) {
			v := at(l, c.front...)
			v.settings = c.settings
			for i := range v.front {
				v.front[i].Foreign = v.front[i].Kind == ""
			}
			d := l.judge(c.rule, v)
			require.ErrorIs(t, d.err, ErrMismatch)
			require.ErrorContains(t, d.err, c.says)
			require.False(t, d.in)
		})
	}
}

func TestSettingsThatDifferAreAMismatchThatTellsBoth(t *testing.T) {
	l := &Line{prefix: "p/"}
	five, half := &Settings{Kind: SemaphoreLine, Limit: 5}, &Settings{Kind: QuarantineLine, Quarantine: "30s"}
	for value, c := range map[string]struct {
		want *Settings
		says string
	}{
		`{"kind":"semaphore","limit":4}`:            {five, "the limit is 4, not 5"},
		`{"kind":"semaphore","limit":5,"burst":2}`:  {five, "what this version does not know"},
		`{"kind":"semaphore","limit":6}`:            {half, `the line is a "semaphore", not a "quarantine"`},
		`{"kind":"quarantine","quarantine":"5s"}`:   {half, `the quarantine is "5s", not "30s"`},
		`{"kind":"quarantine","quarantine":"1h0s"}`: {nil, `the line is a "quarantine"`},
		`["kind"]`: {nil, "does not hold settings"},
	} {
		err := l.compare(c.want, etcd.KV{Key: "p/settings", Value: []byte(value)})
		require.ErrorIs(t, err, ErrMismatch, value)
		require.ErrorContains(t, err, c.says)
	}
	require.NoError(t, l.compare(five, etcd.KV{Key: "p/settings", Value: five.encode()}))
}

func TestEventsKeepAViewRightWithoutAnotherLook(t *testing.T) {
	l := &Line{prefix: "p/"}
	event := func(rev, mod int64, n *Note) etcd.Event {
		ev := etcd.Event{Type: etcd.EventDelete, KV: etcd.KV{Key: key(l, rev), ModRevision: mod}}
		if n != nil {
			ev.Type = etcd.EventPut
			ev.KV.CreateRevision, ev.KV.Value = rev, n.encode()
		}
		return ev
	}
	apply := func(rule Rule, v *view, ev etcd.Event) (known bool, d verdict) {
		before := l.judge(rule, v)
		known = l.apply(rule, v, before, ev)
		return known, l.judge(rule, v)
	}
	writer, reader := Rule{Kind: Writer}, Rule{Kind: Reader}

	t.Run("the only one in front leaves", func(t *testing.T) {
		known, d := apply(writer, at(l, w), event(10, 1001, nil))
		require.True(t, known && d.in)
	})
	t.Run("an event that is older than the view says nothing", func(t *testing.T) {
		known, d := apply(writer, at(l, w), event(10, 1000, nil))
		require.True(t, known)
		require.False(t, d.in)
	})
	t.Run("the last of several leaves, perhaps without having held", func(t *testing.T) {
		v := at(l, w, w)
		v.front, v.whole = v.front[1:], false // the first was not read
		_, d := apply(writer, v, event(20, 1001, nil))
		require.True(t, d.look)
	})
	t.Run("the last of several was released, so all before it are gone", func(t *testing.T) {
		v := at(l, w, w)
		v.front, v.whole = v.front[1:], false
		_, d := apply(writer, v, event(20, 1001, &Note{Kind: Writer, Released: true}))
		require.True(t, d.in)
	})
	t.Run("a writer that was released lets the readers behind it in", func(t *testing.T) {
		v := at(l, w, w, r, r)
		v.front, v.whole = v.front[1:], false
		_, d := apply(reader, v, event(20, 1001, &Note{Kind: Writer, Released: true}))
		require.True(t, d.in)
		require.Len(t, v.front, 2)
	})
	t.Run("a reader's farewell says nothing of those in front", func(t *testing.T) {
		v := at(l, w, r)
		v.front, v.whole = v.front[1:], false
		_, d := apply(writer, v, event(20, 1001, &Note{Kind: Reader, Released: true}))
		require.False(t, d.in)
	})
	t.Run("a writer that is downgraded lets readers in and no writer", func(t *testing.T) {
		_, d := apply(reader, at(l, w), event(10, 1001, &Note{Kind: Reader}))
		require.True(t, d.in)
		_, d = apply(writer, at(l, w), event(10, 1001, &Note{Kind: Reader}))
		require.False(t, d.in)
	})
	t.Run("the key was deleted and made again by somebody behind", func(t *testing.T) {
		ev := event(10, 1001, &w)
		ev.KV.CreateRevision = 1001
		_, d := apply(writer, at(l, w), ev)
		require.True(t, d.in)
	})
	t.Run("of permits it watched one alone, and the others matter", func(t *testing.T) {
		v := at(l, permits(3), permits(2))
		v.settings = fourSets
		known, _ := apply(Rule{Kind: Permits, Weight: 1, Limit: 4}, v, event(20, 1001, nil))
		require.False(t, known)
	})
	t.Run("the limit changes", func(t *testing.T) {
		v := at(l, permits(3))
		v.settings = fourSets
		rule := Rule{Kind: Permits, Weight: 2, Limit: 5}
		ev := etcd.Event{Type: etcd.EventPut, KV: etcd.KV{Key: "p/settings", ModRevision: 1001, Value: []byte(`{"kind":"semaphore","limit":5}`)}}
		known, d := apply(rule, v, ev)
		require.True(t, known && d.in)
		ev = etcd.Event{Type: etcd.EventDelete, KV: etcd.KV{Key: "p/settings", ModRevision: 1002}}
		_, d = apply(rule, v, ev)
		require.ErrorContains(t, d.err, "it is missing")
	})
}

func TestPermitsBehindOneThatMayBeInUnderAnotherLimitWatchTheWholeLine(t *testing.T) {
	l := &Line{prefix: "p/"}
	v := at(l, permits(3), permits(2))
	changed := *fourSets
	changed.ModRevision = v.front[1].Token + 1
	v.settings = &changed
	d := l.judge(Rule{Kind: Permits, Weight: 1, Limit: 4}, v)
	require.Equal(t, l.set(), d.watch)
	require.False(t, d.one)
	changed.ModRevision = v.front[1].Token - 1
	require.True(t, l.judge(Rule{Kind: Permits, Weight: 1, Limit: 4}, v).one)
}
