placeholder;
