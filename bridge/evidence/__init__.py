"""Pure: evidence that somebody checks who trusts none of us. What is shown and what is kept back
(`disclosure`), the package's documents (`package`), what they say to people (`account`, `page`, `paper`), and
the program that checks them (`verify`), which is handed out and shares nothing with the rest."""
