module github.com/quorate/quorate/integration

go 1.26.0

replace (
	github.com/quorate/quorate => ../
	github.com/quorate/quorate/embedded => ../embedded
)
