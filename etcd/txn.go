package etcd

// A Txn is a transaction as plain data: if every comparison of If holds, the
// operations of Then are carried out, otherwise those of Else, in one commit.
// An empty If always holds.
//
// Operations run in order, and a read sees the writes that stand before it in
// the same transaction. All comparisons, those of nested transactions
// included, see the state before the whole transaction. A key can be put only
// once. By default a server takes up to 128 operations in each of If, Then and
// Else.
type Txn struct {
	If   []Cmp
	Then []Op
	Else []Op
}

// A TxnOption changes how Client.Txn sends a transaction.
type TxnOption interface{ applyTxn(*txnOptions) }

type txnOptions struct {
	alone     bool
	footprint []KeySet
}

type footprintOption []KeySet

func (f footprintOption) applyTxn(o *txnOptions) { o.footprint = append(o.footprint, f...) }

// Footprint says that the caller's decision rests on the keys of sets although
// the transaction does not compare, read or write them all: calls that write
// any of them never share a commit with this one.
func Footprint(sets ...KeySet) TxnOption { return footprintOption(sets) }

// AloneOption is what Alone returns: an option of every call that reads or
// writes keys.
type AloneOption struct{}

// Alone sends the call in a request and a commit of its own, shared with no
// other call. The revision of its result is then its alone.
func Alone() AloneOption { return AloneOption{} }

func (AloneOption) applyGet(op *Op)        { op.alone = true }
func (AloneOption) applyPut(op *Op)        { op.alone = true }
func (AloneOption) applyDelete(op *Op)     { op.alone = true }
func (AloneOption) applyTxn(o *txnOptions) { o.alone = true }
