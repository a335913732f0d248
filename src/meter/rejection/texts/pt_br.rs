//! Portuguese as it is written in Brazil. Names of headers, codes, amounts and instants are inserted as they are.

use crate::credit::{Amount, DecimalError, Measure, PriceError};
use crate::ledger::OnUnknown;
use crate::meter::members::{Fault, Misread};
use crate::meter::path::PathProblem;
use crate::meter::query::QueryProblem;
use crate::meter::rejection::{Cause, Detail};
use crate::meter::why::{Flaw, Sort, Why};
use crate::observe::{DEPTH_MAX, FIELDS_MAX, FormProblem, JsonProblem, TEXT_MAX};

/// The titles.
pub(super) const fn title(cause: Cause) -> &'static str {
    match cause {
        Cause::BadRequest => "Requisição inválida",
        Cause::TooLarge => "Corpo grande demais",
        Cause::HeadTooLarge => "Cabeçalho grande demais",
        Cause::HttpVersion => "Versão de HTTP não suportada",
        Cause::LoopDetected => "Ciclo detectado",
        Cause::ExpectationFailed => "Expectativa não atendida",
        Cause::TooSlow => "Requisição lenta demais",
        Cause::InvalidKey => "Chave inválida",
        Cause::AccountSuspended => "Conta suspensa",
        Cause::AccountRestricted => "Conta restrita",
        Cause::OptionNotInPlan => "Opção não incluída no plano",
        Cause::RouteNotInPlan => "Não incluído no plano",
        Cause::PlanUnknownHere => "Plano desconhecido",
        Cause::InsufficientCredits => "Créditos insuficientes",
        Cause::CreditsOnHold => "Créditos reservados",
        Cause::RateLimited => "Requisições em excesso",
        Cause::CapExceeded => "Limite atingido",
        Cause::ConcurrencyExceeded => "Gerações simultâneas em excesso",
        Cause::UnpriceableRequest => "Não é possível calcular o preço da requisição",
        Cause::MaxChargeExceeded => "Acima de Credits-Max",
        Cause::UnknownRoute => "Rota desconhecida",
        Cause::UnknownJob => "Tarefa desconhecida",
        Cause::UnknownCharge => "Cobrança desconhecida",
        Cause::MethodNotAllowed => "Método não permitido",
        Cause::WebsocketUnsupported => "WebSocket não suportado",
        Cause::MeteringUnavailable => "Medição indisponível",
        Cause::Draining => "Instância em encerramento",
        Cause::UpstreamError => "Erro no serviço",
        Cause::UpstreamTimeout => "Tempo limite do serviço esgotado",
    }
}

/// The details.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn detail(detail: &Detail) -> String {
    match detail {
        Detail::Connect => "CONNECT não é atendido aqui.".into(),
        Detail::OneHost => "É necessário exatamente um cabeçalho Host.".into(),
        Detail::OtherHost => {
            "O destino da requisição e o cabeçalho Host indicam hosts diferentes.".into()
        }
        Detail::OneCoding => "O único Transfer-Encoding aceito é chunked.".into(),
        Detail::Path(problem) => format!("O caminho não é canônico: {}.", path(*problem)),
        Detail::Unforwardable => "O caminho não pode ser encaminhado.".into(),
        Detail::BrokenBody => "O corpo da requisição foi interrompido, ou seu enquadramento está errado: não há como saber onde termina.".into(),
        Detail::Unclear { why } => format!("A requisição pode ser lida de mais de uma forma: {why}."),
        Detail::Version => "Esta conexão fala HTTP/1.1 e HTTP/1.0.".into(),
        Detail::TwoIdentities => "A requisição indica a conta por um cabeçalho e traz também uma chave. Envie apenas um dos dois.".into(),
        Detail::UserInTarget => "O alvo nomeia um usuário; apenas um host é esperado.".into(),
        Detail::Loop { name } => format!("A requisição já passou por {name}, portanto anda em círculo. Se forem dois gateways, o operador dá outro nome a um deles com `via`."),
        Detail::Expectation => "A única expectativa atendida aqui é 100-continue. Envie a requisição sem Expect.".into(),
        Detail::LongHead { limit } => format!("O início de uma requisição, com todos os cabeçalhos, pode ter {limit} bytes. Envie menos."),
        Detail::LongTarget { limit } => format!("O alvo de uma requisição, com caminho e parâmetros, pode ter {limit} bytes. Envie menos."),
        Detail::ManyHeaders { limit } => format!("Uma requisição pode ter {limit} cabeçalhos. Envie menos."),
        Detail::SlowHead => "Os cabeçalhos da requisição não chegaram a tempo. Envie-os mais rápido.".into(),
        Detail::Query => "Não foi possível ler os parâmetros da URL.".into(),
        Detail::CreditsMax => "Credits-Max deve ser um valor como 12.5.".into(),
        Detail::CreditsMaxTwice => "Credits-Max foi enviado duas vezes.".into(),
        Detail::Prefer => "Prefer deve conter apenas caracteres ASCII imprimíveis.".into(),
        Detail::Metering { word } => {
            format!("Prefer: metering={word} não é conhecido; o valor aceito é quote.")
        }
        Detail::Misread(call) => misread(call),
        Detail::LargeBody { limit, plan: None } => {
            format!("O corpo é maior que os {limit} bytes que esta rota permite.")
        }
        Detail::LargeBody { limit, plan: Some(plan) } => {
            format!("O corpo é maior que os {limit} bytes que o plano {plan} permite nesta rota.")
        }
        Detail::SlowBody => {
            "O corpo não chegou a tempo. Envie-o mais rápido ou em requisições menores.".into()
        }
        Detail::Key => {
            "É necessária uma chave válida: envie-a como \"Authorization: Bearer tk_…\".".into()
        }
        Detail::Job => {
            "Esta conta não tem uma tarefa com este id. O id está completo, e a tarefa foi iniciada com uma chave desta conta?".to_owned()
        }
        Detail::Charge { id } => {
            format!("Esta conta não tem nenhuma cobrança {id}. O id está completo?")
        }
        Detail::Route { method, path } => format!("Não há rota para {method} {path}."),
        Detail::Method { method } => format!("{method} não é possível aqui."),
        Detail::NotInPlan { route, plan } => format!("O plano {plan} não inclui {route}."),
        Detail::PlanUnknown { plan } => {
            format!("O plano {plan} da conta não é conhecido aqui. Avise o operador.")
        }
        Detail::Restricted { until } => format!("Esta conta não pode gastar até {until}. Entre em contato com o suporte."),
        Detail::NotForKey { route } => format!("Esta chave não serve para {route}."),
        Detail::OptionNotInPlan { quantity, value, plan } => {
            format!("O plano {plan} não inclui {quantity} = {value}.")
        }
        Detail::Suspended => "Esta conta está suspensa. Entre em contato com o suporte.".into(),
        Detail::Closed => "Esta conta está encerrada.".into(),
        Detail::Unpriceable { pointer, why: reason } => match pointer.as_str() {
            "" => format!("Não é possível calcular o preço da requisição: {}.", why(reason)),
            _ => format!("Não é possível calcular o preço da requisição em {pointer}: {}.", why(reason)),
        },
        Detail::AboveMax { hold, limit } => {
            format!("Esta requisição reservaria {}; Credits-Max permite {limit}.", credits(*hold))
        }
        Detail::Flood => "Há requisições em excesso vindas deste endereço. Diminua o ritmo.".into(),
        Detail::Rate { name } => {
            format!("As requisições chegam mais rápido do que o limite {name} permite.")
        }
        Detail::Slots { name, limit: 1 } => {
            format!("Há uma geração em andamento, e o limite {name} permite uma por vez.")
        }
        Detail::Slots { name, limit } => {
            format!("Há {limit} gerações em andamento, o máximo simultâneo que o limite {name} permite.")
        }
        Detail::Cap { name, measure, limit, used, required, resets_at } => format!(
            "O limite {name} permite {}; uso até agora: {}, necessário para esta requisição: {}. \
             Ele é renovado em {resets_at}.",
            counted(*measure, *limit),
            measure.show(*used),
            measure.show(*required),
        ),
        Detail::OnHold { required, available, held } => format!(
            "Esta requisição precisa de {}; disponíveis: {available}, reservados por requisições que \
             terminam em até um minuto: {held}.",
            credits(*required)
        ),
        Detail::Insufficient { required, available, held } => format!(
            "Esta requisição precisa de {}; disponíveis: {available}, reservados por requisições em \
             andamento: {held}.",
            credits(*required)
        ),
        Detail::Unavailable => "A medição não está disponível no momento, por isso nada foi encaminhado. \
             Tente novamente em breve."
            .into(),
        Detail::Draining => {
            "Esta instância está prestes a ser encerrada. Tente novamente em uma nova conexão.".into()
        }
        Detail::Websocket => "Esta rota não aceita WebSocket.".into(),
        Detail::Unreached => {
            "Não foi possível acessar o serviço. Nada foi encaminhado e nada foi cobrado.".into()
        }
        Detail::Undialled => {
            "O serviço não aceitou uma conexão a tempo. Nada foi encaminhado nem cobrado.".into()
        }
        Detail::BrokeOff => "O serviço interrompeu a conexão antes de responder.".into(),
        Detail::TimedOut => "O serviço não respondeu a tempo.".into(),
        Detail::CutOff => "Esta instância parou enquanto a requisição estava em andamento. Não se sabe se o \
             trabalho foi feito; o que foi reservado é liberado ou fica retido até que se saiba. A cobrança \
             mostrará o resultado."
            .into(),
        Detail::Unsettled { first, held, until, then } => {
            let then = match then {
                OnUnknown::Release => "é liberado",
                OnUnknown::Charge => "é cobrado",
                OnUnknown::Hold => "continua reservado até que alguém decida",
            };
            format!(
                "{} Não se sabe se o trabalho foi feito: reserva de {} até {until}; o que não for resolvido \
                 até lá {then}.",
                self::detail(first),
                credits(*held),
            )
        }
    }
}

/// The plural begins at 2; 0 has it too.
fn credits(amount: Amount) -> String {
    let one = (1..2_000_000).contains(&amount.micro());
    if one { format!("{amount} crédito") } else { format!("{amount} créditos") }
}

fn counted(measure: Measure, count: u64) -> String {
    match (measure, count) {
        (Measure::Requests, 1) => "1 requisição".into(),
        (Measure::Requests, _) => format!("{count} requisições"),
        (Measure::Credits, 1..2_000_000) => format!("{} crédito", measure.show(count)),
        (Measure::Credits, _) => format!("{} créditos", measure.show(count)),
    }
}

const fn path(problem: PathProblem) -> &'static str {
    match problem {
        PathProblem::NotAbsolute => "o caminho deve começar com /",
        PathProblem::EmptySegment => "o caminho tem um segmento vazio",
        PathProblem::DotSegment => "um segmento do caminho termina com ponto",
        PathProblem::Semicolon => "o caminho tem ponto e vírgula",
        PathProblem::Slash => "o caminho tem uma barra codificada ou uma barra invertida",
        PathProblem::Control => "o caminho tem um caractere de controle",
        PathProblem::Unencoded => "o caminho tem um byte que precisa de percent-encoding",
        PathProblem::Escape => "o caminho tem um percent-encoding malformado",
        PathProblem::NeedlessEscape => {
            "o caminho codifica um byte que não precisa de codificação ou codifica duas vezes"
        }
        PathProblem::NotUtf8 => "o caminho não está em UTF-8",
    }
}

/// Why a request has no price.
pub(super) fn why(why: &Why) -> String {
    match why {
        Why::Quantity { name, flaw } => format!("{name} {}", self::flaw(flaw)),
        Why::InQuery { name } => {
            format!("{name} pertence ao corpo e aparece também nos parâmetros da URL")
        }
        Why::Query(problem) => query(*problem).into(),
        Why::Json(problem) => json(problem),
        Why::NoObject => {
            "o corpo não é um objeto, por isso nenhum de seus valores pode ser encontrado".into()
        }
        Why::Encoded => "o corpo tem um Content-Encoding; envie-o sem ele".into(),
        Why::Form(problem) => form(problem),
        Why::Media { form: false, .. } => "o corpo deve ser application/json em UTF-8".into(),
        Why::Media { json: false, .. } => {
            "o corpo deve ser multipart/form-data ou application/x-www-form-urlencoded, em UTF-8"
                .into()
        }
        Why::Media { .. } => "o corpo deve ser application/json ou um formulário, em UTF-8".into(),
        Why::Price(PriceError::Missing(name)) => format!("{name} não tem valor"),
        Why::Price(PriceError::NotANumber(name)) => format!("{name} não é um número"),
        Why::Price(PriceError::NoRate(what)) => format!("não há preço para {what}"),
        Why::Price(PriceError::OutOfRange) => "o preço está fora do intervalo permitido".into(),
    }
}

fn flaw(flaw: &Flaw) -> String {
    match flaw {
        Flaw::Required => "é obrigatório".into(),
        Flaw::Sort { wanted, found: None } => {
            let wanted = sort(*wanted);
            format!("deve ser {wanted}")
        }
        Flaw::Sort { wanted, found: Some(found) } => {
            let wanted = sort(*wanted);
            format!("deve ser {wanted}, não {}", sort(*found))
        }
        Flaw::Range { first, last } => format!("deve estar entre {first} e {last}"),
        Flaw::Words(words) => format!("deve ser um destes valores: {}", words.join(", ")),
        Flaw::LongWord(limit) => format!("deve ter no máximo {limit} bytes"),
        Flaw::TooLarge => "é grande demais".into(),
        Flaw::BelowZero => "resulta em menos de zero".into(),
        Flaw::NoValue => "não tem valor".into(),
        Flaw::Differs => "deve ser igual em todos os lugares".into(),
        Flaw::Digits => "deve ser um número inteiro, em algarismos".into(),
        Flaw::Number(DecimalError::Malformed) => "não é um número".into(),
        Flaw::Number(DecimalError::Negative) => "é menor que zero".into(),
        Flaw::Number(DecimalError::OutOfRange) => {
            "tem mais dígitos do que se pode contar com exatidão".into()
        }
        Flaw::Unread => "não pode ser lido sem o corpo".into(),
        Flaw::Uneven => "deve constar em todos os itens".into(),
        Flaw::Query(problem) => query(*problem).into(),
        Flaw::Spelling => "aparece nos cabeçalhos com outra grafia".into(),
        Flaw::HeaderTwice => "aparece mais de uma vez nos cabeçalhos".into(),
        Flaw::NotText => "não é texto simples".into(),
        Flaw::NotUtf8 => "não está em UTF-8".into(),
    }
}

const fn sort(sort: Sort) -> &'static str {
    match sort {
        Sort::Null => "null",
        Sort::Flag => "true ou false",
        Sort::Integer => "um número inteiro",
        Sort::Number => "um número",
        Sort::Seconds => "um número de segundos",
        Sort::Pixels => "um número inteiro ou um tamanho como 1024x1536",
        Sort::Text => "uma string",
        Sort::Array => "um array",
        Sort::Object => "um objeto",
    }
}

const fn query(problem: QueryProblem) -> &'static str {
    match problem {
        QueryProblem::Semicolon => "os parâmetros da URL têm ponto e vírgula",
        QueryProblem::Escape => "não é UTF-8 em percent-encoding",
        QueryProblem::Twice => "aparece mais de uma vez nos parâmetros da URL",
    }
}

fn form(problem: &FormProblem) -> String {
    match problem {
        FormProblem::Boundary => "o formulário precisa de um único boundary, de 1 a 70 letras, algarismos e sinais simples".into(),
        FormProblem::Charset => "o formulário deve estar em UTF-8".into(),
        FormProblem::Start => "o formulário não começa com seu boundary".into(),
        FormProblem::Stray => "o boundary aparece onde pode ser lido de duas maneiras".into(),
        FormProblem::Tail => "há algo depois do fim do formulário".into(),
        FormProblem::Unclosed => "o formulário termina antes do boundary final".into(),
        FormProblem::PartHead => "os cabeçalhos de uma parte estão malformados, dobrados, repetidos ou longos demais".into(),
        FormProblem::PartName => "cada parte deve dizer seu nome uma vez, em Content-Disposition: form-data".into(),
        FormProblem::Encoding => "uma parte tem um Content-Transfer-Encoding; envie-a sem ele".into(),
        FormProblem::Nested => "uma parte contém outras partes".into(),
        FormProblem::Name => "o nome de um campo é longo demais ou não está em UTF-8 com codificação por porcentagem".into(),
        FormProblem::Semicolon => "o formulário tem um ponto e vírgula sem escape".into(),
        FormProblem::Method => "o formulário tem um campo _method; envie a requisição com o próprio método".into(),
        FormProblem::Spelling(name) => format!("o nome de um campo pode ser tomado por {name:?}: escreva-o assim, uma vez"),
        FormProblem::Twice(name) => format!("{name:?} aparece mais de uma vez no formulário"),
        FormProblem::NotText(name) => format!("{name:?} deve ser enviado como texto, não como arquivo"),
        FormProblem::NotUtf8(name) => format!("{name:?} não está em UTF-8"),
        FormProblem::Escape(name) => format!("{name:?} não está em UTF-8 com codificação por porcentagem"),
        FormProblem::TooLong(name) => format!("{name:?} deve ter no máximo {TEXT_MAX} bytes"),
        FormProblem::TooMany => format!("o formulário tem mais de {FIELDS_MAX} campos"),
    }
}

fn json(problem: &JsonProblem) -> String {
    match problem {
        JsonProblem::NotUtf8 => "o corpo não está em UTF-8".into(),
        JsonProblem::ByteOrderMark => "o corpo começa com uma marca de ordem de bytes (BOM)".into(),
        JsonProblem::Syntax(reason) => format!("não é JSON: {reason}"),
        JsonProblem::Duplicate => "este nome aparece duas vezes em seu objeto".into(),
        JsonProblem::OtherCase(name) => {
            format!("este nome só difere de {name:?} em maiúsculas e minúsculas")
        }
        JsonProblem::TooDeep => format!("aninhamento de mais de {DEPTH_MAX} níveis"),
        JsonProblem::TooMany => "valores demais".into(),
    }
}

/// What is wrong with a call.
pub(super) fn misread(call: &Misread) -> String {
    let fault = match &call.fault {
        Fault::Query => "não foi possível ler os parâmetros da URL".into(),
        Fault::NotAnObject(reason) => format!("o corpo não é um objeto JSON: {reason}"),
        Fault::Malformed(reason) => format!("valor incorreto ({reason})"),
        Fault::Example(example) => format!("por exemplo, {example}"),
        Fault::Missing => "este membro está faltando".into(),
        Fault::NoMember => "este membro não existe".into(),
        Fault::NoParameter => "este parâmetro não existe".into(),
        Fault::Twice => "este parâmetro aparece duas vezes".into(),
        Fault::Range(first, last) => format!("um número de {first} a {last}"),
        Fault::Cursor => "não é um id desta lista".into(),
        Fault::Period => "today ou month, uma só vez".into(),
        Fault::HeaderName => "um dos nomes está incorreto".into(),
        Fault::HeaderValue => "um dos valores está incorreto".into(),
        Fault::OtherKey => "deixe a chave de fora; vale a chave desta chamada".into(),
    };
    match &call.name {
        Some(name) => format!("{name}: {fault}"),
        None => fault,
    }
}
