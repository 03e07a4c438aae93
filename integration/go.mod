module github.com/quorate/quorate/integration

go 1.26.0

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/quorate/quorate v0.0.0
	github.com/quorate/quorate/embedded v0.0.0
	github.com/stretchr/testify v1.12.1
	go.etcd.io/etcd/client/v3 v3.7.3
	go.etcd.io/etcd/server/v3 v3.7.3
)

replace (
	github.com/quorate/quorate => ../
	github.com/quorate/quorate/embedded => ../embedded
)
