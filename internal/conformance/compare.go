package conformance

import "testing"

var compareFacts = topic{name: "compares", facts: []fact{
	{"each target and each result", func(t *testing.T, g *gateway) {
		create := g.put(t, "k", "b")
		mod := g.put(t, "k", "b")
		id := g.grant(t, 100)
		g.post(t, "/v3/kv/put", o{"key": g.key("leased"), "lease": id})
		for _, c := range []struct {
			key, target, field string
			below, at, above   any
		}{
			{"k", "VERSION", "version", 1, 2, 3},
			{"k", "CREATE", "create_revision", create - 1, create, create + 1},
			{"k", "MOD", "mod_revision", mod - 1, mod, mod + 1},
			{"k", "VALUE", "value", b64("a"), b64("b"), b64("c")},
		} {
			for result, want := range map[string][3]bool{ // below, at, above
				"EQUAL": {false, true, false}, "NOT_EQUAL": {true, false, true},
				"GREATER": {true, false, false}, "LESS": {false, false, true},
			} {
				for i, v := range []any{c.below, c.at, c.above} {
					cmp := o{"key": g.key(c.key), "target": c.target, "result": result, c.field: v}
					if got := g.succeeds(t, cmp); got != want[i] {
						t.Errorf("%s %s %v is %v", c.target, result, v, got)
					}
				}
			}
		}
		if !g.succeeds(t, o{"key": g.key("leased"), "target": "LEASE", "lease": id}) ||
			g.succeeds(t, o{"key": g.key("leased"), "target": "LEASE", "lease": "1"}) ||
			!g.succeeds(t, o{"key": g.key("k"), "target": "LEASE", "lease": "0"}) {
			t.Error("compare by lease")
		}
	}},
	{"a bare key is compared to version zero", func(t *testing.T, g *gateway) {
		if !g.succeeds(t, o{"key": g.key("no")}) {
			t.Error("a missing key has a version")
		}
		g.put(t, "k", "")
		if g.succeeds(t, o{"key": g.key("k")}) {
			t.Error("a key has version zero")
		}
	}},
	{"a compare needs a key", func(t *testing.T, g *gateway) {
		g.refused(t, "/v3/kv/txn", o{"compare": a{o{"target": "VERSION"}}}, 400, 3, "etcdserver: key is not provided")
	}},
	{"a missing key has zero version, revisions and lease", func(t *testing.T, g *gateway) {
		for _, target := range []string{"VERSION", "CREATE", "MOD", "LEASE"} {
			if !g.succeeds(t, o{"key": g.key("no"), "target": target}) {
				t.Errorf("%s is not zero", target)
			}
			if g.succeeds(t, o{"key": g.key("no"), "target": target, "result": "GREATER"}) {
				t.Errorf("%s is above zero", target)
			}
		}
	}},
	{"a compare by value of a missing key fails whatever it asks", func(t *testing.T, g *gateway) {
		for _, result := range []string{"EQUAL", "NOT_EQUAL", "LESS", "GREATER"} {
			for _, value := range []string{"", "x"} {
				if g.succeeds(t, o{"key": g.key("no"), "target": "VALUE", "result": result, "value": b64(value)}) {
					t.Errorf("%s %q holds", result, value)
				}
			}
		}
		g.put(t, "empty", "")
		if !g.succeeds(t, o{"key": g.key("empty"), "target": "VALUE"}) {
			t.Error("an empty value is not equal to none")
		}
	}},
	{"all compares must hold", func(t *testing.T, g *gateway) {
		g.put(t, "k", "v")
		yes := o{"key": g.key("k"), "target": "VALUE", "value": b64("v")}
		no := o{"key": g.key("k"), "target": "VALUE", "value": b64("w")}
		if !g.succeeds(t, yes, yes) || g.succeeds(t, yes, no) || g.succeeds(t, no, yes) {
			t.Error("the compares are not a conjunction")
		}
	}},
	{"a compare over a range holds if it holds for every key there is", func(t *testing.T, g *gateway) {
		first := g.put(t, "a", "v")
		g.put(t, "b", "v")
		last := g.put(t, "c", "w")
		over := func(end, target, result string, field string, v any) bool {
			return g.succeeds(t, o{"key": g.key("a"), "range_end": g.key(end), "target": target, "result": result, field: v})
		}
		for what, held := range map[string]bool{
			"mod above":         over("d", "MOD", "GREATER", "mod_revision", first-1),
			"mod below":         over("d", "MOD", "LESS", "mod_revision", last+1),
			"value of some":     over("c", "VALUE", "EQUAL", "value", b64("v")),
			"not of all":        !over("d", "VALUE", "EQUAL", "value", b64("v")),
			"not below the max": !over("d", "MOD", "LESS", "mod_revision", last),
		} {
			if !held {
				t.Error(what)
			}
		}
	}},
	{"a compare over an empty range sees one key of zeros", func(t *testing.T, g *gateway) {
		empty := func(target, result, field string, v any) bool {
			return g.succeeds(t, o{"key": g.key("a"), "range_end": g.key("z"), "target": target, "result": result, field: v})
		}
		for what, held := range map[string]bool{
			"version is 0":     empty("VERSION", "EQUAL", "version", "0"),
			"version is not 1": !empty("VERSION", "EQUAL", "version", "1"),
			"mod is below 5":   empty("MOD", "LESS", "mod_revision", "5"),
			"no value":         !empty("VALUE", "NOT_EQUAL", "value", b64("x")),
		} {
			if !held {
				t.Error(what)
			}
		}
	}},
	{"a compare over a range does not notice a key that is missing", func(t *testing.T, g *gateway) {
		g.put(t, "a", "v")
		g.put(t, "b", "v")
		cmp := o{"key": g.key("a"), "range_end": g.key("z"), "target": "VALUE", "value": b64("v")}
		g.delete(t, "b")
		if !g.succeeds(t, cmp) {
			t.Error("the missing key was noticed")
		}
	}},
}}
