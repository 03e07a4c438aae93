package etcd

// LeaseID names a lease. Zero means "no lease".
type LeaseID int64

// An Op is one operation: a get, a put, a delete or a nested transaction. Make
// one with Get, Put, Delete or Nest and use it in a Txn. An Op is a plain
// value; it is safe to share as long as nobody changes the bytes of its value.
type Op struct {
	kind  opKind
	set   KeySet
	value []byte
	lease LeaseID
	txn   *Txn

	alone       bool // travel in a request of its own; of no meaning inside a Txn
	prev        bool // put, delete: give the previous value back
	ignoreValue bool // put: keep the value
	ignoreLease bool // put: keep the lease

	get getOptions
}

type opKind uint8

const (
	opNone opKind = iota
	opGet
	opPut
	opDelete
	opTxn
)

type getOptions struct {
	limit                int64
	revision             int64
	sortBy               SortTarget
	order                SortOrder
	serializable         bool
	keysOnly, countOnly  bool
	minMod, maxMod       int64
	minCreate, maxCreate int64
}

// Get reads the keys of set.
func Get(set KeySet, opts ...GetOption) Op {
	op := Op{kind: opGet, set: set}
	for _, o := range opts {
		if o != nil {
			o.applyGet(&op)
		}
	}
	return op
}

// Put writes value under key. The bytes of value must not change until the
// call that carries the operation has returned.
func Put(key string, value []byte, opts ...PutOption) Op {
	op := Op{kind: opPut, set: Key(key), value: value}
	for _, o := range opts {
		if o != nil {
			o.applyPut(&op)
		}
	}
	return op
}

// Delete removes the keys of set.
func Delete(set KeySet, opts ...DeleteOption) Op {
	op := Op{kind: opDelete, set: set}
	for _, o := range opts {
		if o != nil {
			o.applyDelete(&op)
		}
	}
	return op
}

// Nest makes a transaction an operation of another one. Its compares see the
// state before the whole outer transaction, whatever stands beside it; its
// success or failure is its own and does not touch the outer one.
func Nest(t Txn) Op { return Op{kind: opTxn, txn: &t} }

// A GetOption changes what a Get reads.
type GetOption interface{ applyGet(*Op) }

// A PutOption changes what a Put does.
type PutOption interface{ applyPut(*Op) }

// A DeleteOption changes what a Delete gives back.
type DeleteOption interface{ applyDelete(*Op) }

// SortTarget is what a sorted Get orders keys by.
type SortTarget uint8

// The targets a Get can sort by.
const (
	ByKey SortTarget = iota
	ByVersion
	ByCreateRevision
	ByModRevision
	ByValue
)

// SortOrder is the direction of a sorted Get.
type SortOrder uint8

// The orders of a sorted Get. Unsorted leaves the server's order, which is by
// key.
const (
	Unsorted SortOrder = iota
	Ascending
	Descending
)

type getOption func(*getOptions)

func (f getOption) applyGet(op *Op) { f(&op.get) }

// WithLimit reads at most n keys; GetResult.More tells whether there were more.
// Zero means no limit.
func WithLimit(n int64) GetOption { return getOption(func(g *getOptions) { g.limit = n }) }

// WithRevision reads the state as of the revision rev. Revisions before the
// last compaction give ErrCompacted, those to come ErrFutureRevision. Zero
// means the present.
func WithRevision(rev int64) GetOption { return getOption(func(g *getOptions) { g.revision = rev }) }

// WithSort orders what a Get reads. The server sorts after reading the whole
// set, so a limit does not make a sorted read of a large set cheap.
func WithSort(by SortTarget, order SortOrder) GetOption {
	return getOption(func(g *getOptions) { g.sortBy, g.order = by, order })
}

// Serializable lets the member that is asked answer from its own state, which
// may be stale, without asking the others. It answers without a quorum.
func Serializable() GetOption { return getOption(func(g *getOptions) { g.serializable = true }) }

// KeysOnly leaves the values out.
func KeysOnly() GetOption { return getOption(func(g *getOptions) { g.keysOnly = true }) }

// CountOnly reads no keys, only their number.
func CountOnly() GetOption { return getOption(func(g *getOptions) { g.countOnly = true }) }

// WithModRevisions leaves out keys whose last change is before min or after
// max. Zero means no bound.
func WithModRevisions(min, max int64) GetOption {
	return getOption(func(g *getOptions) { g.minMod, g.maxMod = min, max })
}

// WithCreateRevisions leaves out keys created before min or after max. Zero
// means no bound.
func WithCreateRevisions(min, max int64) GetOption {
	return getOption(func(g *getOptions) { g.minCreate, g.maxCreate = min, max })
}

type putOption func(*Op)

func (f putOption) applyPut(op *Op) { f(op) }

// WithLease binds the key to a lease: it is deleted when the lease ends. A put
// without it unbinds the key.
func WithLease(id LeaseID) PutOption { return putOption(func(op *Op) { op.lease = id }) }

// IgnoreValue keeps the key's present value, so that only its lease changes.
// The key must exist, the value given must be empty, and nothing before the put
// in the same transaction may delete the key.
func IgnoreValue() PutOption { return putOption(func(op *Op) { op.ignoreValue = true }) }

// IgnoreLease keeps the key's present lease. The key must exist, and nothing
// before the put in the same transaction may delete it.
func IgnoreLease() PutOption { return putOption(func(op *Op) { op.ignoreLease = true }) }

// PrevOption is what WithPrev returns: an option of Put and Delete.
type PrevOption struct{}

func (PrevOption) applyPut(op *Op)    { op.prev = true }
func (PrevOption) applyDelete(op *Op) { op.prev = true }

// WithPrev gives back what the keys held before they were overwritten or
// deleted.
func WithPrev() PrevOption { return PrevOption{} }
