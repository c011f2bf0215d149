import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** The main job from a file, or a chain over events in memory, by one of the JVM's libraries, several times: says "pass" behind each.
 *    Peer WHO main FEED PASSES EVENTS, or Peer WHO maps|groups FEED PASSES TIMES (the feed so many times over) */
public class Peer {
    interface Job {
        void main(File feed) throws Exception;

        default void maps(List<Pair> events) { throw new UnsupportedOperationException(); }

        default void groups(List<Pair> events) { throw new UnsupportedOperationException(); }
    }

    private static final Map<String, Supplier<Job>> JOBS =
        Map.of("rxjava", Rx::new, "reactor", Reactor::new, "esper", Esper::new, "flink", Flink::new);
    private static volatile Object last;
    static int passes;
    private static long events, seen;

    /** Keeps the result, so that nothing of what made it may be left out. */
    static void take(Object result) { last = result; }

    /** For who reads all passes in one job: an event has come. */
    static boolean see() {
        if (++seen % events == 0)
            System.out.println("pass");
        return true;
    }

    public static void main(String[] args) throws Exception {
        Job job = JOBS.get(args[0]).get();
        File feed = new File(args[2]);
        List<Pair> pairs = new ArrayList<>();
        if (!args[1].equals("main"))
            try (var all = new ObjectMapper().readerFor(Pair.class).<Pair>readValues(feed)) {
                List<Pair> once = all.readAll();
                for (int i = 0; i < Integer.parseInt(args[4]); i++)
                    pairs.addAll(once);
            }
        passes = Integer.parseInt(args[3]);
        events = Long.parseLong(args[4]);
        System.out.println("ready");
        for (int i = 0; i < passes; i++) {
            switch (args[1]) {
            case "main" -> job.main(feed);
            case "maps" -> job.maps(pairs);
            default -> job.groups(pairs);
            }
            if (seen == 0)
                System.out.println("pass");
        }
        System.exit(0);
    }
}
