package chat

// endOfText ends the texts that the models have learned from.
const endOfText = "<|endoftext|>"

// formats lists the formats. A new one is a row here; models is for published
// models that come without a template.
var formats = [...]Format{
	{
		Name:       "chatml",
		Usage:      "ChatML, without a system prompt unless one is given",
		StopTokens: []string{imEnd, endOfText},
		template:   &chatML,
	},
	{
		Name:       "mpt-7b-chat",
		Usage:      "ChatML with the system prompt of MPT-7B-Chat",
		System:     chat7B,
		StopTokens: []string{imEnd, endOfText},
		models:     []string{"mpt-7b-chat"},
		template:   &chatML,
	},
	{
		Name:       "mpt-30b-chat",
		Usage:      "ChatML with the system prompt of MPT-30B-Chat and MPT-7B-8k-Chat",
		System:     "A conversation between a user and an LLM-based AI assistant. The assistant gives helpful and honest answers.",
		StopTokens: []string{imEnd, endOfText},
		models:     []string{"mpt-30b-chat", "mpt-7b-8k-chat", "mpt-7b-chat-8k"},
		template:   &chatML,
	},
	{
		Name:       "mpt-instruct",
		Usage:      "instructions as on the card of MPT-7B-Instruct",
		System:     instruction,
		StopTokens: []string{endOfText},
		Stops:      []string{"### Instruction", "### End"},
		models:     []string{"mpt-7b-instruct", "mpt-1b-redpajama-200b-dolly"},
		template: &markup{
			system:    plain("", "\n"),
			user:      plain("### Instruction:\n", "\n"),
			assistant: plain("### Response:\n", "\n"),
			alternate: true,
		},
	},
	{
		Name:       "mpt-30b-instruct",
		Usage:      "instructions as on the card of MPT-30B-Instruct; MPT-7B-8k-Instruct",
		System:     instruction,
		StopTokens: []string{endOfText},
		Stops:      []string{"###Instruction", "### Instruction", "### End"},
		// The card of MPT-7B-8k-Instruct, which is called MPT-7B-Instruct-8k there, gives no
		// prompt. It lists the nine data sets of MPT-30B-Instruct, whose card does.
		models: []string{"mpt-30b-instruct", "mpt-7b-8k-instruct", "mpt-7b-instruct-8k"},
		template: &markup{
			system:    plain("", "\n\n"),
			user:      plain("###Instruction\n", "\n\n"),
			assistant: plain("### Response\n", "\n\n"),
			alternate: true,
		},
	},
	{
		Name:       "dolly",
		Usage:      "instructions with blank lines, as LLM Foundry's Dolly training data has them",
		System:     instruction,
		StopTokens: []string{endOfText},
		Stops:      []string{"### Instruction", "### End"},
		template: &markup{
			system:    plain("", "\n\n"),
			user:      plain("### Instruction:\n", "\n\n"),
			assistant: plain("### Response:\n", "\n\n"),
			alternate: true,
		},
	},
	{
		Name:       "sealion",
		Usage:      "SEA-LION-7B-Instruct",
		StopTokens: []string{endOfText},
		Stops:      []string{"### USER:", "### RESPONSE:"},
		models:     []string{"sea-lion-7b-instruct", "sealion-7b-instruct", "sea-lion-3b-instruct"},
		template: &markup{
			user:      plain("### USER:\n", "\n\n"),
			assistant: plain("### RESPONSE:\n", "\n\n"),
			noSystem:  true,
			alternate: true,
		},
	},
	{
		Name:       "raw",
		Usage:      "no format: the model continues the text (base models, StoryWriter)",
		StopTokens: []string{endOfText},
		template:   &markup{},
	},
}

var chatML = markup{
	system:    around("<|im_start|>system\n", "<|im_end|>\n"),
	user:      around("<|im_start|>user\n", "<|im_end|>\n"),
	assistant: around("<|im_start|>assistant\n", "<|im_end|>\n"),
}

// chatMLOpen leaves the last message open unless an answer is to follow.
var chatMLOpen = markup{system: chatML.system, user: chatML.user, assistant: chatML.assistant, openLast: true}

// instruction begins the prompts of instruct models. They were trained on one
// instruction and its answer; further ones follow without another beginning.
const instruction = "Below is an instruction that describes a task. Write a response that appropriately completes the request."

const chat7B = `- You are a helpful assistant chatbot trained by MosaicML.
- You answer questions.
- You are excited to be able to help the user, but will refuse to do anything that could be considered harmful to the user.
- You are more than just an information source, you are also able to write poetry, short stories, and make jokes.`
