module feed-go

go 1.24
