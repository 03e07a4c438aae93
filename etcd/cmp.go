package etcd

// A Cmp is a condition of a Txn: a comparison of one key or of every key of a
// set, or the conjunction of several (AllOf). It is a plain value.
//
// A comparison over a set holds if it holds for each key that is present. A
// key that is missing, and a set without any key, compares as if its
// revisions, version and lease were zero; a comparison of its value never
// holds.
type Cmp struct {
	target cmpTarget
	rel    Relation
	set    KeySet
	num    int64
	value  []byte
	all    []Cmp
}

type cmpTarget uint8

const (
	cmpNone cmpTarget = iota
	cmpVersion
	cmpCreate
	cmpMod
	cmpValue
	cmpLease
	cmpAll
)

// Relation is how the two sides of a comparison must relate.
type Relation uint8

// The relations of a comparison: what the key has on the left, what the
// caller gives on the right.
const (
	Equal Relation = iota
	NotEqual
	Greater
	Less
)

func (r Relation) wire() string {
	switch r {
	case NotEqual:
		return "NOT_EQUAL"
	case Greater:
		return "GREATER"
	case Less:
		return "LESS"
	}
	return "EQUAL"
}

// IfVersion compares the number of changes since the key was created.
func IfVersion(set KeySet, rel Relation, version int64) Cmp {
	return Cmp{target: cmpVersion, set: set, rel: rel, num: version}
}

// IfCreateRevision compares the revision that created the key.
func IfCreateRevision(set KeySet, rel Relation, revision int64) Cmp {
	return Cmp{target: cmpCreate, set: set, rel: rel, num: revision}
}

// IfModRevision compares the revision that last changed the key.
func IfModRevision(set KeySet, rel Relation, revision int64) Cmp {
	return Cmp{target: cmpMod, set: set, rel: rel, num: revision}
}

// IfValue compares the key's value, bytewise.
func IfValue(set KeySet, rel Relation, value []byte) Cmp {
	return Cmp{target: cmpValue, set: set, rel: rel, value: value}
}

// IfLease compares the lease the key is bound to.
func IfLease(set KeySet, rel Relation, id LeaseID) Cmp {
	return Cmp{target: cmpLease, set: set, rel: rel, num: int64(id)}
}

// Exists holds if at least one key of set is present.
func Exists(set KeySet) Cmp { return IfCreateRevision(set, NotEqual, 0) }

// Missing holds if no key of set is present.
func Missing(set KeySet) Cmp { return IfCreateRevision(set, Equal, 0) }

// AllOf holds if every one of cs holds. AllOf() always holds. Recipes hand out
// guards that span several keys as one Cmp this way.
func AllOf(cs ...Cmp) Cmp {
	return Cmp{target: cmpAll, all: append([]Cmp(nil), cs...)}
}
