//! Português do Brasil. Nomes de cabeçalhos, códigos, valores e instantes não se traduzem.

use crate::credit::{Amount, Measure};
use crate::ledger::OnUnknown;
use crate::meter::path::PathProblem;
use crate::meter::rejection::{Cause, Detail};

/// Os títulos.
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
        Cause::RouteNotInPlan => "Não incluído no plano",
        Cause::PlanUnknownHere => "Plano desconhecido",
        Cause::InsufficientCredits => "Créditos insuficientes",
        Cause::CreditsOnHold => "Créditos reservados",
        Cause::RateLimited => "Requisições demais",
        Cause::CapExceeded => "Limite atingido",
        Cause::ConcurrencyExceeded => "Gerações simultâneas demais",
        Cause::UnpriceableRequest => "Não é possível calcular o preço da requisição",
        Cause::MaxChargeExceeded => "Acima de Credits-Max",
        Cause::UnknownRoute => "Rota desconhecida",
        Cause::UnknownCharge => "Cobrança desconhecida",
        Cause::MethodNotAllowed => "Método não permitido",
        Cause::WebsocketUnsupported => "WebSocket não suportado",
        Cause::MeteringUnavailable => "Medição indisponível",
        Cause::Draining => "Instância em encerramento",
        Cause::UpstreamError => "Erro no serviço",
        Cause::UpstreamTimeout => "Tempo limite do serviço esgotado",
    }
}

/// Os detalhes.
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
        Detail::UserInTarget => "O alvo nomeia um usuário; apenas um host é esperado.".into(),
        Detail::Loop { name } => format!("A requisição já passou por {name}, portanto anda em círculo. Se forem dois gateways, o operador dá outro nome a um deles com `via`."),
        Detail::Expectation => "A única expectativa atendida aqui é 100-continue. Envie a requisição sem Expect.".into(),
        Detail::LongHead { limit } => format!("O início de uma requisição, com todos os cabeçalhos, pode ter {limit} bytes. Envie menos."),
        Detail::ManyHeaders { limit } => format!("Uma requisição pode ter {limit} cabeçalhos. Envie menos."),
        Detail::SlowHead => "Os cabeçalhos da requisição não chegaram a tempo. Envie-os mais rápido.".into(),
        Detail::Query => "Não foi possível ler os parâmetros da URL.".into(),
        Detail::CreditsMax => "Credits-Max deve ser um valor como 12.5.".into(),
        Detail::CreditsMaxTwice => "Credits-Max foi enviado duas vezes.".into(),
        Detail::Prefer => "Prefer deve conter apenas caracteres ASCII imprimíveis.".into(),
        Detail::Metering { word } => {
            format!("Prefer: metering={word} não é conhecido; o valor aceito é quote.")
        }
        Detail::Misread { what } => what.clone(),
        Detail::LargeBody { limit } => {
            format!("O corpo é maior que os {limit} bytes que esta rota permite.")
        }
        Detail::SlowBody => {
            "O corpo não chegou a tempo. Envie-o mais rápido ou em requisições menores.".into()
        }
        Detail::Key => {
            "É necessária uma chave válida: envie-a como \"Authorization: Bearer tk_…\".".into()
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
        Detail::Suspended => "Esta conta está suspensa. Entre em contato com o suporte.".into(),
        Detail::Closed => "Esta conta está encerrada.".into(),
        Detail::Unpriceable { pointer, why } => match pointer.as_str() {
            "" => format!("Não é possível calcular o preço da requisição: {why}."),
            _ => format!("Não é possível calcular o preço da requisição em {pointer}: {why}."),
        },
        Detail::AboveMax { hold, limit } => {
            format!("Esta requisição reservaria {}; Credits-Max permite {limit}.", credits(*hold))
        }
        Detail::Flood => "Requisições demais a partir deste endereço. Diminua o ritmo.".into(),
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
            "Esta instância está prestes a parar. Tente novamente em uma nova conexão.".into()
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

/// No português do Brasil, o singular vai até antes de 2.
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
