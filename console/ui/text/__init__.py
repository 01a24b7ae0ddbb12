"""What panes say, as data: rows of tables and sheets of details, made of rows and documents. Pure, no Textual."""
